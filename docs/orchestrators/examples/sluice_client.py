"""Asks a Sluice daemon for a run and waits for its end. Python 3.9 or newer, standard library only."""

import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request

ENDED = {"succeeded", "recovered", "failed", "held", "cancelled"}
# What passes by itself: too many waiting runs, a daemon that is starting or ending, a proxy without its backend.
PASSING = {429, 502, 503, 504}


class RunFailed(Exception):
    """The run ended, and not well. `record` is the run; `retryable` tells whether the same may work later."""

    def __init__(self, record):
        self.record = record
        error = record.get("error") or {}
        self.retryable = bool(error.get("retryable"))
        what = f"{error['code']}: {error['message']}; {error['hint']}" if error else record["state"]
        super().__init__(f"run {record['run']} of {record['activation']}: {what}")


class RunHeld(RunFailed):
    """A safety gate holds the run until somebody has looked and repeats it with allowRemovals."""

    retryable = False


class Sluice:
    def __init__(self, url, token=None, patience=300.0):
        """`patience`: seconds for which an unreachable daemon is asked again."""
        self.url = url.rstrip("/")
        self.token = token
        self.patience = patience

    def run(self, activation, key, *, full=False, allow_removals=False, attempts=3, timeout=6 * 3600.0, on_state=None):
        """
        One run of `activation`; returns its record, or raises RunFailed, RunHeld or TimeoutError.

        `key` names what is to be done (a DAG run, a day), not the try: whoever calls this again with the same key, after a
        crash or a lost answer, finds the run that was made and waits for that. A run that failed for a reason that may pass
        is followed by another one, whose key is derived, `attempts` in all.
        """
        deadline = time.monotonic() + timeout
        for attempt in range(1, attempts + 1):
            body = {"full": full, "allowRemovals": allow_removals}
            headers = {"Idempotency-Key": key if attempt == 1 else f"{key}.{attempt}"}
            path = f"/v1/activations/{urllib.parse.quote(activation, safe='')}/runs"
            record = self.wait(self.request("POST", path, body, headers), deadline, on_state)
            if record["state"] in ("succeeded", "recovered"):
                return record
            failure = RunHeld(record) if record["state"] == "held" else RunFailed(record)
            if not failure.retryable or attempt == attempts:
                raise failure
        raise AssertionError("unreachable")

    def wait(self, record, deadline, on_state=None):
        state = None
        while True:
            if record["state"] != state and on_state is not None:
                on_state(record)
            state = record["state"]
            if state in ENDED:
                return record
            if time.monotonic() > deadline:
                raise TimeoutError(f"run {record['run']} is still {state}")
            record = self.request("GET", f"/v1/runs/{record['run']}?wait=30s")

    def cancel(self, run):
        return self.request("POST", f"/v1/runs/{run}/cancel")

    def request(self, method, path, body=None, headers=None):
        """The answer as JSON. Repeats what can be repeated: every request here may be, a trigger because of its key."""
        give_up = time.monotonic() + self.patience
        pause = 1.0
        while True:
            request = urllib.request.Request(self.url + path, method=method, headers=dict(headers or {}))
            if self.token:
                request.add_header("Authorization", f"Bearer {self.token}")
            data = None
            if body is not None:
                request.add_header("Content-Type", "application/json")
                data = json.dumps(body).encode()
            asked = pause * random.uniform(0.5, 1.5)
            try:
                with urllib.request.urlopen(request, data, timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code not in PASSING or time.monotonic() > give_up:
                    raise RuntimeError(f"{method} {path} was answered {error.code}: {error.read().decode(errors='replace')}") from None
                after = error.headers.get("Retry-After", "")
                asked = float(after) if after.isdigit() else asked
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if time.monotonic() > give_up:
                    raise RuntimeError(f"{method} {path} was not answered: {error}") from None
            time.sleep(asked)
            pause = min(pause * 2, 30.0)


if __name__ == "__main__":
    import os
    import sys

    if len(sys.argv) != 3:
        sys.exit("usage: SLUICE_URL=… SLUICE_TOKEN=… sluice_client.py ACTIVATION KEY")
    client = Sluice(os.environ["SLUICE_URL"], os.environ.get("SLUICE_TOKEN"))
    try:
        done = client.run(*sys.argv[1:], on_state=lambda record: print(record["run"], record["state"], file=sys.stderr))
        json.dump(done, sys.stdout)
    except RunHeld as failure:
        print(failure, file=sys.stderr)
        sys.exit(3)
    except RunFailed as failure:
        print(failure, file=sys.stderr)
        sys.exit(75 if failure.retryable else 1)
