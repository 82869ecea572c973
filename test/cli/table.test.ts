import { describe, expect, it } from 'vitest';
import { formatTable } from '../../services/cli/output/table.ts';
import { wrap } from '../../services/cli/output/wrap.ts';

describe('a table', () => {
  const head = ['ID', 'IMAGE', 'STATUS'];
  const rows = [['run_1', 'registry.example.com/team/app', 'succeeded']];

  it('is whole where there is no width', () => {
    expect(formatTable(head, rows)).toBe(
      'ID     IMAGE                          STATUS\nrun_1  registry.example.com/team/app  succeeded',
    );
  });

  it('cuts its widest columns so that a row is a line', () => {
    expect(formatTable(head, rows, 40).split('\n')).toEqual([
      `ID     ${'IMAGE'.padEnd(22)}  STATUS`,
      'run_1  registry.example.com/…  succeeded',
    ]);
    expect(formatTable(head, rows, 200)).toBe(formatTable(head, rows));
  });

  it('keeps the first column whole, and the others readable, however narrow it is', () => {
    expect(formatTable(head, rows, 5).split('\n')[1]).toBe('run_1  regis…  succe…');
  });
});

describe('wrapping', () => {
  it('breaks between words, and never in one', () => {
    expect(wrap('one two three four', 12, '  ')).toBe('one two\n  three four');
    expect(wrap('a-word-that-is-longer-than-a-line x', 10, '')).toBe('a-word-that-is-longer-than-a-line\nx');
    expect(wrap('one two three', undefined, '  ')).toBe('one two three');
  });
});
