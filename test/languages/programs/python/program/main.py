"""Values an inventory: JSON lines on stdin, exchange rates from a file beside the program."""
import json
import statistics
import sys
from itertools import groupby

from shop.rates import Rates
from shop.stock import Item

rates = Rates.load("rates.csv")
items = [Item(**json.loads(line)) for line in sys.stdin if line.strip()]
items.sort(key=lambda item: (item.kind, -item.worth(rates)))

for kind, group in groupby(items, key=lambda item: item.kind):
    print(f"{kind}:")
    for item in group:
        print(f"  {item.name:<8} {item.count:>3} × {item.price:>8} {item.currency} = {item.worth(rates):>10} EUR")

worths = [item.worth(rates) for item in items]
print(f"total  {sum(worths)} EUR")
print(f"median {statistics.median(worths)} EUR")
