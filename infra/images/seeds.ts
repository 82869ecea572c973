import type { Tool } from '../parts/apt.ts';

/** Images that are built from next to nothing, so that the first example works anywhere. */
export const seeds = ['hello-world', 'busybox'];

/** What building them takes. */
export const seedTools: Tool[] = [
  { names: ['gcc', 'cc'], packages: ['gcc', 'libc6-dev'] },
  { names: ['busybox'], packages: ['busybox-static'] },
];
