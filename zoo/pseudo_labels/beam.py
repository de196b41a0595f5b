"""`lambda-zoo pseudo-label --runner`: the shards are labelled by a pipeline of Apache Beam, on its runner's machines.

Each machine does what a job of `--shard` does, for the shards that the runner hands it. A shard that is labelled twice,
because its machine was slow or failed, is written twice, with the same bytes, and each time as a whole.
"""

import contextlib
import io
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from lambda_keras.text import first_line
from lambda_keras.zoo.command_line import narrate
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.pseudo_labels.labelling import Labelling, Settings


class _Label(beam.DoFn):
    """Labels the shards whose numbers it gets; its teacher is loaded once in a process."""

    _labelling: Labelling

    def __init__(self, settings: Settings):
        super().__init__()
        self._settings = settings

    def setup(self):
        """Loads the teacher, and refuses one that is another here than where the pipeline was started."""
        self._labelling = Labelling(self._settings)

    def process(self, shard):
        """Labels a shard, unless that is done."""
        self._labelling.label(self._labelling.missing([shard]))


def run(settings: Settings, runner: str, options: Sequence[str] = ()) -> None:
    """Labels images by a pipeline, and says how many; the same call resumes where it was stopped.

    Args:
        settings: The `lambda_keras.zoo.pseudo_labels.labelling.Settings`. All paths are those of a disk that each
            machine has under the same name.
        runner: The name of Beam's runner, such as `DataflowRunner`.
        options: Its options, `name=value` or `name` each.

    Raises:
        UserError: As for `lambda_keras.zoo.pseudo_labels.labelling.pseudo_label`, there is no such runner or option, or
            the pipeline failed.
    """
    pipeline = _pipeline(runner, options)
    labelling = Labelling(settings)
    shards = labelling.shards_of(0, 1)
    missing = labelling.missing(shards)
    narrate(f"{settings.teacher}, shards labelled already: {len(shards) - len(missing):,} of {len(shards):,}")
    if missing:
        _ = pipeline | beam.Create(missing) | beam.Reshuffle() | beam.ParDo(_Label(settings))
        try:
            pipeline.run().wait_until_finish()
        # Which errors there are is the runner's choice.
        except Exception as error:
            raise UserError(f"the pipeline failed: {first_line(error)}; the same command resumes there") from error
    labelling.finish()


def _pipeline(runner, options):
    """An empty pipeline; Beam's parser of options, which prints and exits, is made to raise."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsed = PipelineOptions([f"--runner={runner}", *(f"--{option}" for option in options)])
            parsed.get_all_options()
            return beam.Pipeline(options=parsed)
    except (ValueError, SystemExit) as error:
        problem = said.getvalue().strip().rpartition("\n")[2] or first_line(error)
        raise UserError(f"Beam does not take --runner {runner} with these options: {problem}") from error
