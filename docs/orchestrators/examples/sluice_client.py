"""Asks a Sluice daemon for a run and waits for its end. Python 3.9 or newer, standard library only."""

import http.client
import json
import random
import re
import ssl
import time
import urllib.error
import urllib.request

SUCCEEDED = {"succeeded", "recovered"}
ENDED = {*SUCCEEDED, "failed", "held", "cancelled"}
# What passes by itself: too many waiting runs, a daemon that is starting or ending, a proxy without its backend.
PASSING = {429, 502, 503, 504}
# So many runs may follow each other under one key.
MOST_KEYS = 50


class RunFailed(Exception):
    """The run ended, and not well. `record` is the run; `retryable` tells whether the same may work later."""

    def __init__(self, record):
        self.record = record
        error = record.get("error") or {}
        # Errors of runs that were cancelled are retryable too, but somebody wanted them to end.
        self.retryable = record["state"] == "failed" and bool(error.get("retryable"))
        what = f"{error['code']}: {error['message']}; {error['hint']}" if error else record["state"]
        super().__init__(f"run {record['run']} of {record['activation']}: {what}")


class RunHeld(RunFailed):
    """A safety gate holds the run until somebody has looked."""


class RunCancelled(RunFailed):
    """Somebody cancelled the run."""


class RequestFailed(RuntimeError):
    """The daemon refused the request or could not be reached. `retryable` tells whether the same may work later."""

    def __init__(self, message, retryable):
        self.retryable = retryable
        super().__init__(message)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for the daemon alone, and a POST that is redirected would become a GET."""

    def redirect_request(self, *_):
        return None


class Sluice:
    def __init__(self, url, token=None, patience=300.0):
        """`patience`: seconds for which a daemon that cannot be reached is asked again."""
        self.url = url.rstrip("/")
        self.token = (token or "").strip()  # secrets from files often end with a line break
        self.patience = patience
        self.opener = urllib.request.build_opener(NoRedirect)
        if not re.match(r"https?://[^/]", self.url):
            raise ValueError(f"the address of a daemon begins with http:// or https://, not {url!r}")
        if not re.fullmatch(r"[!-~]*", self.token):
            raise ValueError("a token is printable ASCII without spaces")

    def run(self, activation, key, *, full=False, allow_removals=False, params=None, attempts=1, timeout=6 * 3600.0, on_state=None):
        """
        One run of `activation`; returns its record, or raises RunFailed (RunHeld, RunCancelled), RequestFailed or TimeoutError.

        `key` names what is to be done. Whoever calls this again with the same key, after a crash or a lost answer, finds the
        run that is under way or succeeded. Where it failed, was held or cancelled before this call, another run is made, with
        the key KEY.2, then KEY.3 and so on: who starts a task again wants another try.

        `params` are values of the query's parameters, by name; they belong to what the key is for.

        The daemon has repeated what may pass before a run fails. `attempts` above 1 makes further runs on top of that.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]+", activation):
            raise ValueError(f"no name of an activation: {activation!r}")
        if not re.fullmatch(r"[!-~]+", key):
            raise ValueError(f"a key is printable ASCII without spaces: {key!r}")
        deadline = time.monotonic() + timeout
        body = {"full": full, "allowRemovals": allow_removals, **({"params": params} if params else {})}
        for number in range(1, MOST_KEYS + 1):
            headers = {"Idempotency-Key": key if number == 1 else f"{key}.{number}"}
            record, answered = self._ask("POST", f"/v1/activations/{activation}/runs", body, headers)
            is_earlier = answered.get("Idempotency-Replayed") == "true" and record["state"] in ENDED
            if is_earlier and record["state"] not in SUCCEEDED:
                if on_state is not None:
                    on_state(record)
                continue
            record = self.wait(record, deadline, on_state)
            if record["state"] in SUCCEEDED:
                return record
            attempts -= 1
            failure = {"held": RunHeld, "cancelled": RunCancelled}.get(record["state"], RunFailed)(record)
            if not failure.retryable or attempts < 1:
                raise failure
        raise RequestFailed(f"{MOST_KEYS} runs with the key {key} did not succeed; use another key", retryable=False)

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
            # Below the 20 s and 30 s after which some proxies give an answer up.
            record = self.request("GET", f"/v1/runs/{record['run']}?wait=15s")

    def cancel(self, run):
        return self.request("POST", f"/v1/runs/{run}/cancel")

    def request(self, method, path, body=None, headers=None):
        """The answer as JSON. Repeats what can be repeated: every request here may be, a trigger because of its key."""
        return self._ask(method, path, body, headers)[0]

    def _ask(self, method, path, body=None, headers=None):
        give_up = time.monotonic() + self.patience
        pause = 1.0
        while True:
            asked = pause * random.uniform(0.5, 1.5)
            try:
                status, answered, text = self._send(method, path, body, headers)
            except http.client.InvalidURL as error:
                raise ValueError(f"the address of the daemon is not well-formed: {error}") from None
            except (OSError, http.client.HTTPException) as error:
                is_lasting = isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError)
                failure = RequestFailed(f"{method} {path} was not answered: {error!r}", retryable=not is_lasting)
            else:
                answer = _parse(text)
                if status < 300:
                    if not isinstance(answer, dict):
                        raise RequestFailed(f"this is not the answer of a Sluice daemon: {text[:300]}", retryable=False)
                    return answer, answered
                is_passing = status in PASSING
                error = answer.get("error") if isinstance(answer, dict) else None
                says_so = isinstance(error, dict) and error.get("retryable") is True
                failure = RequestFailed(f"{method} {path} was answered {status}: {text}", retryable=is_passing or says_so)
                is_lasting = not is_passing
                after = answered.get("Retry-After", "")
                asked = float(after) if after.isdigit() else asked
            if is_lasting or time.monotonic() + asked > give_up:
                raise failure
            time.sleep(asked)
            pause = min(pause * 2, 30.0)

    def _send(self, method, path, body, headers):
        """Status, headers and text of the answer, whichever it is."""
        request = urllib.request.Request(self.url + path, method=method, headers=dict(headers or {}))
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        try:
            answer = self.opener.open(request, data, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers, answer.read().decode(errors="replace")


def _parse(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def main(arguments, environment):
    """Prints the record of the run. Exit codes as those of `sluice run`."""
    import sys

    def tell(what):
        print(what, file=sys.stderr, flush=True)

    if len(arguments) != 2 or not environment.get("SLUICE_URL"):
        tell("usage: SLUICE_URL=… SLUICE_TOKEN=… sluice_client.py ACTIVATION KEY")
        return 2
    try:
        patience = float(environment.get("SLUICE_PATIENCE", 300))
        client = Sluice(environment["SLUICE_URL"], environment.get("SLUICE_TOKEN"), patience)
        print(json.dumps(client.run(*arguments, on_state=lambda record: tell(f"{record['run']} is {record['state']}"))))
        return 0
    except RunFailed as failure:
        print(json.dumps(failure.record))
        tell(failure)
        return {"held": 3, "cancelled": 130}.get(failure.record["state"], 75 if failure.retryable else 1)
    except RequestFailed as failure:
        tell(failure)
        return 75 if failure.retryable else 1
    except TimeoutError as failure:
        tell(failure)
        return 75
    except ValueError as failure:
        tell(failure)
        return 2
    except KeyboardInterrupt:
        tell("interrupted; a run that was made goes on")
        return 130


if __name__ == "__main__":
    import os
    import sys

    sys.exit(main(sys.argv[1:], os.environ))
