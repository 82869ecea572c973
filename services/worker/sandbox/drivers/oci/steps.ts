/**
 * What the launcher does to files, mounts and cgroups, one step after another; the first that fails ends it. Its other side is
 * infra/launcher/steps.c.
 */
export type Step =
  /** It may be there already. */
  | ['folder', path: string, mode: string]
  | ['file', path: string, mode: string, content: string | Buffer]
  /** Into a file that is there. */
  | ['write', path: string, content: string]
  /** The same, where the file is there. */
  | ['try', path: string, content: string]
  /** `options` as of mount(8); paths in it may be relative to `folder`. */
  | ['overlay', target: string, folder: string, options: string]
  /** Quiet where nothing is mounted; so are the following, where there is nothing to be removed. */
  | ['unmount', path: string]
  | ['unlink', path: string]
  /** A folder with a few files of our own. */
  | ['clear', path: string]
  /** A folder with whatever a program has left there, by a process of its own. */
  | ['tree', path: string]
  /** A cgroup; waits until no process is left in it. */
  | ['rmdir', path: string]
  /** Kills all processes of a cgroup, given its list of them, and waits until they are gone. */
  | ['empty', list: string];

/** As the launcher takes them. */
export const wordsOf = (steps: Step[]): (string | Buffer)[] => [...steps.flat(), '.'];
