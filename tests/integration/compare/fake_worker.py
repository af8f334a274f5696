"""fake_worker.py SETTINGS CASE: a side of a comparison that computes nothing. SETTINGS is JSON: check,
tolerance, ms, and what it does otherwise; `log` names a file of begun and ended blocks."""
import json
import sys

settings = json.loads(sys.argv[1])


def note(word):
    if "log" in settings:
        with open(settings["log"], "a") as log:
            print(word, settings["ms"], file=log)


if "dies" in settings:
    sys.exit(settings["dies"])
ready = {key: settings[key] for key in ("check", "tolerance", "missing") if key in settings}
print(json.dumps(ready), flush=True)
for turn, _ in enumerate(sys.stdin):
    if turn == settings.get("dies_in_round"):
        sys.exit("out of memory")
    note("begin")
    note("end")
    print("10", settings["ms"] / 100, flush=True)
