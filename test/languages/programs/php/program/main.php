<?php
declare(strict_types=1);

// Renders an invoice from JSON on stdin.
require __DIR__ . '/src/Invoice.php';

use Shop\Invoice;

$data = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
foreach (array_map(Invoice::from(...), $data) as $invoice) {
    echo $invoice->render(), "\n";
}
echo 'arguments: ', implode('|', array_slice($argv, 1)), "\n";
