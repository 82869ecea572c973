import { execFileSync } from 'node:child_process';
import type { Lab } from '../support/lab.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import type { Subject } from './warm.ts';

/** A small program in each language, and what a user would run in its place. */
const languages: [language: string, definition: string, image: string, code: string, bare?: string[]][] = [
  ['bash', 'debian', 'debian:bookworm-slim', 'echo hi', ['bash', '-c', 'echo hi']],
  ['python', 'python', 'python:3.11-slim-bookworm', 'print(1)', ['/usr/bin/python3', '-c', 'print(1)']],
  [
    'javascript',
    'node',
    'node:24-bookworm-slim',
    'console.log(1)',
    [process.execPath, '-e', 'console.log(1)'],
  ],
  ['perl', 'perl', 'perl:5.36-slim-bookworm', 'print 1', ['perl', '-e', 'print 1']],
  ['c++', 'gcc', 'gcc:12-bookworm', '#include <cstdio>\nint main() { std::puts("hi"); }'],
];

/** Those whose images can be had here. */
export async function subjects(lab: Lab, say: (line: string) => void): Promise<Subject[]> {
  const found: Subject[] = [
    {
      name: 'sh (busybox)',
      image: 'busybox',
      request: { image: 'busybox', command: ['sh', '-c', 'echo hi'] },
      docker: ['busybox', 'sh', '-c', 'echo hi'],
      bare: ['sh', '-c', 'echo hi'],
    },
    { name: 'hello-world', image: 'hello-world', request: { image: 'hello-world' }, docker: ['hello-world'] },
  ];
  for (const [language, definition, image, code, bare] of languages) {
    try {
      await ensureLoaded(lab, definition);
    } catch (error) {
      say(`without ${language}: ${(error as Error).message.split('\n')[0]}`);
      continue;
    }
    found.push({
      name: language,
      image,
      request: { language, code },
      ...(bare && canRun(bare) && { bare }),
    });
  }
  return found;
}

function canRun(argv: string[]): boolean {
  try {
    execFileSync(argv[0] ?? '', argv.slice(1), { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
