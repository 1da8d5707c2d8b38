"""What the Python scripts share: the endpoints of the embedded stack, and checks that print a line each."""

import json
import os
import pathlib
import sys
import traceback

STACK = pathlib.Path(os.environ["MKT_CLIENTS_STACK"])  # the folder of the stack file that was applied and streamed
E = json.loads((STACK / ".mkt/local/daemon.json").read_text())["endpoints"]
ACCOUNT = "mktlocal"
TOPIC = "market_data"

client = pathlib.Path(sys.argv[0]).stem
passed = failed = 0


def check(what):
    """Runs the decorated function at once: it passes if it does not raise."""

    def run(f):
        global passed, failed
        try:
            f()
        except Exception:  # the next check is to run all the same
            failed += 1
            print(f"FAIL {client}: {what}", flush=True)
            traceback.print_exc(limit=-2)
        else:
            passed += 1
            print(f"ok   {client}: {what}", flush=True)

    return run


def equal(got, want):
    if got != want:
        raise AssertionError(f"\n  got  {got!r}\n  want {want!r}")


def fails(f, kind):
    """Returns the exception of this kind that f raises."""
    try:
        f()
    except kind as e:
        return e
    raise AssertionError(f"no {kind.__name__} was raised")


def finish():
    print(f"{client}: {passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)
