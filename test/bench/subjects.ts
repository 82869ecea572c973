import { execFileSync } from 'node:child_process';
import { ensureLoaded } from '../support/lab-images.ts';
import type { Context } from './context.ts';
import type { Program } from './servers.ts';

/** One thing to run, and what a user would run in its place. */
export type Subject = {
  name: string;
  request: Record<string, unknown>;
  /** The words after `docker run --rm --network none`. */
  docker: string[];
  /** The same program as a bare process of this machine, where that is there. */
  bare?: string[];
  goal: string;
  /** What servers of code are asked for in its place. */
  program?: Program;
};

const bashProgram: Program = { language: 'bash', code: 'echo hi', prints: 'hi\n' };
const pythonProgram: Program = { language: 'python', code: 'print(1)', prints: '1\n' };
export const programs = [bashProgram, pythonProgram];

export const shell: Subject = {
  name: 'sh (busybox)',
  request: { image: 'busybox', command: ['sh', '-c', 'echo hi'] },
  docker: ['busybox', 'sh', '-c', 'echo hi'],
  bare: ['sh', '-c', 'echo hi'],
  goal: '≤ 6 ms where the bare process ≤ 3',
};

const helloWorld: Subject = {
  name: 'hello-world',
  request: { image: 'hello-world' },
  docker: ['hello-world'],
  goal: '≤ 6 ms where the bare process ≤ 3',
};

const bash: Subject = {
  name: 'bash',
  request: { language: 'bash', code: 'echo hi' },
  program: bashProgram,
  docker: ['debian:bookworm-slim', 'bash', '-c', 'echo hi'],
  bare: ['bash', '-c', 'echo hi'],
  goal: '≤ 6 ms where the bare process ≤ 3',
};

const python: Subject = {
  name: 'python print(1)',
  request: { language: 'python', code: 'print(1)' },
  program: pythonProgram,
  docker: ['python:3.11-slim-bookworm', 'python3', '-c', 'print(1)'],
  bare: ['/usr/bin/python3', '-c', 'print(1)'],
  goal: '',
};

const withImage: [definition: string, subject: Subject][] = [
  ['debian', bash],
  ['python', python],
];

/** Those whose images can be had here. */
export async function subjects({ lab, say }: Context): Promise<Subject[]> {
  const found: Subject[] = [shell, helloWorld];
  for (const [definition, subject] of withImage) {
    try {
      await ensureLoaded(lab, definition);
      found.push(subject);
    } catch (error) {
      say(`without ${subject.name}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  return found.map(({ bare, ...subject }) => ({ ...subject, ...(bare && canRun(bare) && { bare }) }));
}

function canRun(argv: string[]): boolean {
  try {
    execFileSync(argv[0] ?? '', argv.slice(1), { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
