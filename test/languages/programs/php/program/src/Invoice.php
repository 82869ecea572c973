<?php
declare(strict_types=1);

namespace Shop;

final class Invoice
{
    /** @param list<array{0: string, 1: int, 2: int}> $lines */
    private function __construct(private readonly string $customer, private readonly array $lines)
    {
    }

    public static function from(array $data): self
    {
        return new self($data['customer'], $data['lines']);
    }

    public function render(): string
    {
        $width = max(array_map(fn (array $line) => mb_strlen($line[0]), $this->lines));
        $rows = array_map(
            fn (array $line) => $line[0] . str_repeat(' ', $width - mb_strlen($line[0]))
                . sprintf(' %2d × %8s', $line[1], number_format($line[2] / 100, 2, ',', '.')),
            $this->lines,
        );
        $total = array_sum(array_map(fn (array $line) => $line[1] * $line[2], $this->lines));
        $head = mb_strtoupper($this->customer);
        return implode("\n", [$head, ...$rows, 'sum ' . number_format($total / 100, 2, ',', '.')]) . "\n";
    }
}
