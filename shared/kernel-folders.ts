import { posix } from 'node:path';

const folders = ['/proc', '/sys', '/dev'];

/**
 * The folder of the kernel or of the OCI runtime that contains this path, however the path is spelled. More than once, a
 * sandbox could be left when a program started in such a folder, or when files were written there before the program ran:
 * /proc/self/fd leads to the runtime's own descriptors (CVE-2024-21626).
 */
export function kernelFolder(path: string): string | undefined {
  const clean = posix.resolve('/', path);
  return folders.find((folder) => clean === folder || clean.startsWith(`${folder}/`));
}

export const kernelFolderFault = 'must not lie in /proc, /sys or /dev: these are the kernel’s';
