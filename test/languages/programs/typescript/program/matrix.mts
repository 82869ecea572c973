export type Row = readonly bigint[];

export class Matrix {
  readonly rows: readonly Row[];

  constructor(rows: readonly Row[]) {
    if (rows.some((row) => row.length !== rows.length)) throw new RangeError('not square');
    this.rows = rows;
  }

  static identity(size: number): Matrix {
    const cell = (i: number, j: number) => (i === j ? 1n : 0n);
    return new Matrix(
      Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => cell(i, j))),
    );
  }

  get trace(): bigint {
    return this.rows.reduce((sum, row, index) => sum + (row[index] as bigint), 0n);
  }

  times(other: Matrix): Matrix {
    const columns = this.rows.map((_, j) => other.rows.map((row) => row[j] as bigint));
    const dot = (a: Row, b: Row) => a.reduce((sum, value, k) => sum + value * (b[k] ?? 0n), 0n);
    return new Matrix(this.rows.map((row) => columns.map((column) => dot(row, column))));
  }

  power(n: number): Matrix {
    if (n === 0) return Matrix.identity(this.rows.length);
    const half = this.power(Math.floor(n / 2));
    const square = half.times(half);
    return n % 2 === 0 ? square : square.times(this);
  }

  toString(): string {
    return this.rows.map((row) => row.join(' ')).join('\n');
  }
}
