"""Adds up a JUnit file: prints "PASSED FAILED SKIPPED", and the names of what failed on stderr."""

import sys
import xml.etree.ElementTree as ET

passed = failed = skipped = 0
for case in ET.parse(sys.argv[1]).getroot().iter("testcase"):
    name = "%s %s" % (case.get("classname"), case.get("name"))
    if case.find("failure") is not None or case.find("error") is not None:
        failed += 1
        print("    failed: " + name, file=sys.stderr)
    elif case.find("skipped") is not None:
        why = case.find("skipped").get("message") or ""
        # CTest also calls skipped what it could not even start: that is no test that chose not to run.
        missing = why.startswith(("Unable to find executable", "Fixture dependency failed"))
        failed, skipped = failed + missing, skipped + (not missing)
        print("    %s: %s: %s" % ("failed" if missing else "skipped", name, why), file=sys.stderr)
    else:
        passed += 1
print(passed, failed, skipped)
