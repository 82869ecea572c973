import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export type Below = {
  local: string;
  /** The path below the folder. */
  below: string;
  isProgram: boolean;
};

/** The regular files below a folder, and the folders that are empty (`below` is empty for the folder itself). */
export function filesBelow(
  folder: string,
  note: (text: string) => void,
): { files: Below[]; folders: Below[] } {
  const files: Below[] = [];
  const folders: Below[] = [];
  const look = (local: string, below: string): void => {
    const names = readdirSync(local).sort();
    if (names.length === 0) folders.push({ local, below, isProgram: false });
    for (const name of names) {
      const path = join(local, name);
      const to = below === '' ? name : `${below}/${name}`;
      const facts = lstatSync(path);
      if (facts.isDirectory()) look(path, to);
      else if (facts.isFile()) files.push({ local: path, below: to, isProgram: (facts.mode & 0o111) !== 0 });
      // A link may lead anywhere. Its target is not sent unless the user names it.
      else note(`${path} is no regular file: it is not sent.`);
    }
  };
  look(folder, '');
  return { files, folders };
}
