import { readFileSync } from 'node:fs';
import { Matrix, type Row } from './matrix.mts';

interface Task {
  power: number;
  rows: Row[];
}

// "power n", then the rows of a square matrix; tasks are parted by an empty line.
const tasks: Task[] = readFileSync(0, 'utf8')
  .trim()
  .split(/\n{2,}/)
  .map((block) => {
    const [head = '', ...lines] = block.split('\n');
    return { power: Number(head.split(' ')[1]), rows: lines.map((line) => line.split(' ').map(BigInt)) };
  });

for (const [index, { power, rows }] of tasks.entries()) {
  const result = new Matrix(rows).power(power);
  console.log(`task ${index + 1}: trace ${result.trace}`);
  console.log(String(result));
}
