"""usage: python -m benchmarks [section ...] [--quick] [--report-only]; `peers` are all sections that begin so"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from benchmarks import report
from benchmarks.environment import ENVIRONMENTS, UnavailableError
from benchmarks.plan import RESULTS, ROOT, SECTIONS, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    listed = ", ".join(SECTIONS)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {listed}, or peers (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes, short times, and no report: does it run?")
    parser.add_argument("--report-only", action="store_true", help="write the report from what was measured before")
    chosen = parser.parse_args()
    sections = [section for section in SECTIONS if {section, section.partition(".")[0]} & set(chosen.sections)]
    unknown = set(chosen.sections) - {part for section in SECTIONS for part in (section, section.partition(".")[0])}
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are {listed}")
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "JAX_PLATFORMS": "cpu",
        "LOSSARY_CACHE": str(RESULTS / "kernels"),
    }
    for section in () if chosen.report_only else sections or SECTIONS:
        print(f"── {SECTIONS[section]} ──", flush=True)
        try:
            python = ENVIRONMENTS[section].python() if section in ENVIRONMENTS else sys.executable
        except UnavailableError as error:
            print(f"not measured: {error}", flush=True)
            if not chosen.quick:
                write(section, {"unavailable": str(error)})
            continue
        command = [python, "-m", "benchmarks.section", section, *(["--quick"] if chosen.quick else [])]
        subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)
    if not chosen.quick:
        print(f"written: {report.write().relative_to(ROOT)}")


if __name__ == "__main__":
    main()
