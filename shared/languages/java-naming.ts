import { posix } from 'node:path';
import { type JavaSource, type JavaType, scanJava } from './java-scan.ts';
import type { Named, Source } from './named.ts';

/** A name with `.java` behind it must be one that file systems take. */
const nameMost = 200;

/**
 * `public class Solution` must lie in Solution.java (JLS §7.6), and it is the class with `main` that is started, whatever
 * stands before it. So what is given under another name gets the one that javac wants, which else refuses it, and the class is looked
 * for. Where nothing is declared all stays as it is, and the compiler says what it thinks of it.
 */
export function nameJava(sources: Source[], taken: Set<string>): Named {
  const scanned = sources.map(({ path, text }) => ({ path, source: scanJava(text) }));
  const renamed = new Map<string, string>();
  for (const { path, source } of scanned) {
    const name = fileOf(path, source);
    if (taken.has(name)) continue;
    taken.add(name);
    renamed.set(path, name);
  }
  const started = scanned
    .flatMap(({ path, source }) => source.types.map((type) => ({ path, source, type })))
    .sort((a, b) => rank(b) - rank(a))[0];
  if (started === undefined) return { renamed };
  // Without a main in any, it is the usual file's class whose lack Java speaks of.
  const { path, source, type } = started;
  const { package: folder } = source;
  return { renamed, entry: path, mainClass: folder === '' ? type.name : `${folder}.${type.name}` };
}

/** Where its public type wants to be, in the folder that it is in. */
function fileOf(path: string, source: JavaSource): string {
  const wanted = source.types.filter(({ isPublic }) => isPublic);
  const { dir, name } = posix.parse(path);
  const type = wanted.find(({ main }) => main !== undefined) ?? wanted[0];
  if (type === undefined || wanted.some((one) => one.name === name)) return path;
  if (Buffer.byteLength(type.name) > nameMost) return path;
  return posix.join(dir, `${type.name}.java`);
}

/** The first of the highest rank is started: sort is stable. */
function rank({ path, type }: { path: string; type: JavaType }): number {
  const { base, name } = posix.parse(path);
  const isUsual = path === 'Main.java' ? 4 : base === 'Main.java' ? 2 : 0;
  const isItself = type.isPublic || type.name === name ? 1 : 0;
  if (type.main === 'public') return 200 + isUsual + isItself;
  return (type.main === 'other' ? 100 : 0) + isUsual + isItself;
}
