import { posix } from 'node:path';
import { type JavaSource, type JavaType, scanJava } from './java-scan.ts';
import type { Named, Source } from './named.ts';

/** With `.java` at its end, a name of this length is still allowed by file systems. */
const nameMost = 200;

/**
 * `public class Solution` must lie in Solution.java (JLS §7.6), or javac refuses it. So a file with another name gets the name
 * that javac wants. The class with `main` is started, wherever it stands among the classes, so that class is looked for. If the
 * sources declare no class, nothing is changed, and the compiler reports what is wrong.
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
  // If no class has a `main`, the class of the usual file is started, and Java reports that its `main` is missing.
  const { path, source, type } = started;
  const { package: folder } = source;
  return { renamed, entry: path, mainClass: folder === '' ? type.name : `${folder}.${type.name}` };
}

/** The path that the file's public type needs, in the same folder. */
function fileOf(path: string, source: JavaSource): string {
  const wanted = source.types.filter(({ isPublic }) => isPublic);
  const { dir, name } = posix.parse(path);
  const type = wanted.find(({ main }) => main !== undefined) ?? wanted[0];
  if (type === undefined || wanted.some((one) => one.name === name)) return path;
  if (Buffer.byteLength(type.name) > nameMost) return path;
  return posix.join(dir, `${type.name}.java`);
}

/** The type with the highest rank is started. Of several it is the first, because the sort is stable. */
function rank({ path, type }: { path: string; type: JavaType }): number {
  const { base, name } = posix.parse(path);
  const isUsual = path === 'Main.java' ? 4 : base === 'Main.java' ? 2 : 0;
  const isItself = type.isPublic || type.name === name ? 1 : 0;
  if (type.main === 'public') return 200 + isUsual + isItself;
  return (type.main === 'other' ? 100 : 0) + isUsual + isItself;
}
