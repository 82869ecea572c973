import type { Tool } from '../parts/apt.ts';

/** Images whose build needs almost nothing, so that the first example works on any machine. */
export const seeds = ['hello-world', 'busybox'];

/** The programs that are needed to build them. */
export const seedTools: Tool[] = [
  { names: ['gcc', 'cc'], packages: ['gcc', 'libc6-dev'] },
  { names: ['busybox'], packages: ['busybox-static'] },
];
