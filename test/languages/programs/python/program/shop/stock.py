from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal


@dataclass(frozen=True)
class Item:
    name: str
    kind: str
    count: int
    price: str
    currency: str = "EUR"

    def worth(self, rates):
        exact = self.count * Decimal(self.price) * rates[self.currency]
        return exact.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
