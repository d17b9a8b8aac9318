"""Adds up a JUnit file: prints "PASSED FAILED SKIPPED", and the names of what failed on stderr."""

import sys
import xml.etree.ElementTree as ET

passed = failed = skipped = 0
for case in ET.parse(sys.argv[1]).getroot().iter("testcase"):
    name = "%s %s" % (case.get("classname"), case.get("name"))
    if case.find("failure") is not None or case.find("error") is not None:
        failed += 1
        print("    failed: " + name, file=sys.stderr)
    elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        skipped += 1
        why = case.find("skipped")
        print("    skipped: %s: %s" % (name, why.get("message") if why is not None else ""), file=sys.stderr)
    else:
        passed += 1
print(passed, failed, skipped)
