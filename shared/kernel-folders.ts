import { posix } from 'node:path';

const folders = ['/proc', '/sys', '/dev'];

/**
 * Which of the folders that the kernel and the OCI runtime make a path lies in, however it is spelled. To start there, or to write there
 * before the program runs, was a way out more than once: by /proc/self/fd the runtime's own descriptors are reached (CVE-2024-21626).
 */
export function kernelFolder(path: string): string | undefined {
  const clean = posix.resolve('/', path);
  return folders.find((folder) => clean === folder || clean.startsWith(`${folder}/`));
}

export const kernelFolderFault = 'must not lie in /proc, /sys or /dev: these are the kernel’s';
