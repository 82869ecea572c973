import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../parts/run.ts';

/** A layer that is being made: a folder of files. All of them belong to root, except those named in `owners`. */
export class Tree {
  readonly folder: string;
  readonly #owners = new Map<string, string>();

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  path(relative: string): string {
    const path = join(this.folder, relative);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  }

  directory(relative: string, mode = 0o755): void {
    mkdirSync(this.path(relative), { recursive: true });
    chmodSync(this.path(relative), mode);
  }

  file(relative: string, content: string | Buffer, mode = 0o644): void {
    writeFileSync(this.path(relative), content);
    chmodSync(this.path(relative), mode);
  }

  link(relative: string, target: string): void {
    symlinkSync(target, this.path(relative));
  }

  /** Adds a copy of a file or folder of this machine. Only a link at the top is followed. */
  copy(source: string, relative: string): void {
    cpSync(source, this.path(relative), { recursive: true, dereference: false });
  }

  own(relative: string, owner: string): void {
    if (owner !== '0:0') this.#owners.set(relative, owner);
  }

  /** Packs the folder. The same files always give the same bytes, for any user and at any time. */
  async pack(tar: string): Promise<void> {
    const same = ['--numeric-owner', '--sort=name', '--mtime=@1735689600', '--format=gnu', '-C', this.folder];
    const others = [...this.#owners.keys()].map((path) => `--exclude=./${path}`);
    await run('tar', ['-cf', tar, ...same, '--owner=0', '--group=0', '--anchored', ...others, '.']);
    // Owners are set here and not on disk, so that the build does not need root.
    for (const [path, owner] of this.#owners) {
      const [user = '0', group = '0'] = owner.split(':');
      await run('tar', [
        '-rf',
        tar,
        ...same,
        `--owner=:${user}`,
        `--group=:${group}`,
        '--no-recursion',
        `./${path}`,
      ]);
    }
  }
}
