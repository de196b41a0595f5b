"""Does what may fail on a machine, and keeps a line for what was not done and why."""

from benchmarks.timing import interleaved_medians


def attempt(what, function, not_done):
    """Calls a function that may fail, for want of memory or of a package; each backend has errors of its own for it.

    Args:
        what: What the function does, in a few words.
        function: A function without arguments.
        not_done: A list that gets `"<what>: <why>"` if it fails, which is printed too.

    Returns:
        What the function returns, or `None` if it fails.
    """
    try:
        return function()
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        not_done.append(f"{what}: {type(error).__name__}: {reason[:200]}")
        print(f"not done: {not_done[-1]}", flush=True)
        return None


def medians(makers, where, not_done):
    """Median seconds, by turns, of what can be run.

    Args:
        makers: By name, functions without arguments, each of which makes the function that is timed.
        where: Of what problem they are, for the lines of `not_done`.
        not_done: A list that gets a line for each that fails.

    Returns:
        A dict of seconds without those.
    """
    steps = {}
    for name, make in makers.items():

        def made_and_called(make=make):
            step = make()
            step()
            return step

        step = attempt(f"{name}, {where}", made_and_called, not_done)
        if step:
            steps[name] = step
    if not steps:
        return {}
    return attempt(where, lambda: interleaved_medians(steps, rounds=9, settle=True), not_done) or {}
