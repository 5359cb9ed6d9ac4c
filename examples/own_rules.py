"""Judge a finished run by your own rules, without transcribing again.

python examples/own_rules.py [OUTPUT [RULE …]]
"""

import sys
from collections import Counter

from winnow import judge, open_run

run = open_run(sys.argv[1] if len(sys.argv) > 1 else "demo/run")
rules = sys.argv[2:] or ["wer <= 0.1", "duration in 1..10", "char_rate <= 20", "NOISY: snr >= 10"]

rows = list(run)
decisions = judge(rows, rules)

hours = sum(row["duration"] for row, decision in zip(rows, decisions, strict=True) if decision.kept) / 3600
print(f"{sum(decision.kept for decision in decisions)} of {len(rows)} rows kept, {hours:.3f} h")
for reason, count in Counter(reason for decision in decisions for reason in decision.reasons).most_common():
    print(f"{count:5}  {reason}")
