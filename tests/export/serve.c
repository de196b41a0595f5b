/* Runs one signature of a SavedModel as TensorFlow Serving does: TF_LoadSessionFromSavedModel, no Python, no Keras.

     serve SAVED_MODEL INPUT OUTPUT RESULT floats N H W C FILE    float32 images from a file
     serve SAVED_MODEL INPUT OUTPUT RESULT bytes FILE...          strings, each the bytes of a file

   INPUT and OUTPUT are names of operations, such as serving_default_images and StatefulPartitionedCall, the latter with
   its index, StatefulPartitionedCall:1. The tensor's bytes go to RESULT. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

static void check(int right, const char* message) {
  if (!right) {
    fprintf(stderr, "%s\n", message);
    exit(1);
  }
}

static TF_Output find(TF_Graph* graph, char* name) {
  char* index = strchr(name, ':');
  if (index) *index++ = 0;
  TF_Output output = {TF_GraphOperationByName(graph, name), index ? atoi(index) : 0};
  check(output.oper != NULL, name);
  return output;
}

static size_t read_file(const char* path, char** content) {
  FILE* file = fopen(path, "rb");
  check(file != NULL && fseek(file, 0, SEEK_END) == 0, path);
  size_t size = ftell(file);
  rewind(file);
  *content = malloc(size + 1);
  check(fread(*content, 1, size, file) == size, path);
  fclose(file);
  return size;
}

static TF_Tensor* read_floats(char** arguments) {
  int64_t shape[4];
  size_t size = sizeof(float);
  for (int i = 0; i < 4; i++) size *= shape[i] = atol(arguments[i]);
  char* content;
  check(read_file(arguments[4], &content) == size, "the file has another size than the images");
  TF_Tensor* images = TF_AllocateTensor(TF_FLOAT, shape, 4, size);
  memcpy(TF_TensorData(images), content, size);
  return images;
}

static TF_Tensor* read_strings(int count, char** paths) {
  int64_t shape[] = {count};
  TF_Tensor* strings = TF_AllocateTensor(TF_STRING, shape, 1, count * sizeof(TF_TString));
  for (int i = 0; i < count; i++) {
    char* content;
    size_t size = read_file(paths[i], &content);
    TF_TString* string = (TF_TString*)TF_TensorData(strings) + i;
    TF_StringInit(string);
    TF_StringCopy(string, content, size);
  }
  return strings;
}

int main(int count, char** arguments) {
  check(count > 6, "too few arguments");
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      TF_NewSessionOptions(), NULL, arguments[1], tags, 1, graph, NULL, status);
  check(TF_GetCode(status) == TF_OK, TF_Message(status));

  int floats = strcmp(arguments[5], "floats") == 0;
  TF_Tensor* value = floats ? read_floats(arguments + 6) : read_strings(count - 6, arguments + 6);
  TF_Output input = find(graph, arguments[2]), output = find(graph, arguments[3]);
  TF_Tensor* result = NULL;
  TF_SessionRun(session, NULL, &input, &value, 1, &output, &result, 1, NULL, 0, NULL, status);
  check(TF_GetCode(status) == TF_OK, TF_Message(status));

  FILE* file = fopen(arguments[4], "wb");
  size_t size = TF_TensorByteSize(result);
  check(file != NULL && fwrite(TF_TensorData(result), 1, size, file) == size && fclose(file) == 0, arguments[4]);
  return 0;
}
