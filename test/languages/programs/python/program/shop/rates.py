import csv
from decimal import Decimal
from pathlib import Path


class Rates(dict):
    @classmethod
    def load(cls, path):
        with Path(path).open(newline="") as file:
            return cls((row["currency"], Decimal(row["rate"])) for row in csv.DictReader(file))
