import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A program in programs/: a folder named for its language, with `program/` (its files), `stdin.txt`, `expected.txt` and,
 * where the request says more than that, `request.json`.
 */
export interface Program {
  name: string;
  expected: string;
  request: { language: string; files: { path: string; content: string }[]; stdin: string };
}

const folder = fileURLToPath(new URL('programs/', import.meta.url));

export function allPrograms(): Program[] {
  return readdirSync(folder).sort().map(readProgram);
}

function readProgram(name: string): Program {
  const text = (file: string) => readFileSync(join(folder, name, file), 'utf8');
  const more = existsSync(join(folder, name, 'request.json')) ? JSON.parse(text('request.json')) : {};
  const files = readdirSync(join(folder, name, 'program'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, name, 'program/').length))
    .sort()
    .map((path) => ({ path, content: text(join('program', path)) }));
  return {
    name,
    expected: text('expected.txt'),
    request: { language: name, files, stdin: text('stdin.txt'), ...more },
  };
}
