import { describe, expect, test } from 'vitest';
import { runRequestSchema } from '../../../shared/contracts/run-request.ts';
import { scanJava } from '../../../shared/languages/java-scan.ts';
import { filesOf, stepsOf } from '../../../shared/run-plan.ts';

const main = 'public static void main(String[] args) { }';
const most = 2 ** 40;
const limits = {
  timeoutMs: most,
  memoryBytes: most,
  cpus: 8,
  pids: most,
  outputBytes: most,
  diskBytes: most,
};
const schema = runRequestSchema({
  limits,
  allowWritable: true,
  allowEgress: true,
  registries: [],
  payloadBytes: most,
});

/** What files there are, which of them are compiled in what order, and what is started. */
function planned(request: Record<string, unknown>) {
  const parsed = schema.parse({ language: 'java', ...request });
  const [compile, run] = stepsOf(parsed);
  return {
    files: filesOf(parsed).map(({ path }) => path),
    compiled: compile?.argv?.filter((word) => word.endsWith('.java')),
    started: run?.argv?.at(-1),
  };
}
const ofCode = (code: string) => {
  const { files, compiled, started } = planned({ code });
  expect(compiled).toEqual(files);
  return [files[0], started];
};
const file = (path: string, content: string) => ({ path, content });

describe('Java', () => {
  test.each([
    ['a public class', `public class Solution { ${main} }`, 'Solution.java', 'Solution'],
    ['a class that is not public', `class Prog { ${main} }`, 'Main.java', 'Prog'],
    [
      'an interface first',
      `interface A { int f(); } class B implements A { public int f() { return 1; } ${main} }`,
      'Main.java',
      'B',
    ],
    ['a record first', `record P(int x, int[] y) { } public class Q { ${main} }`, 'Q.java', 'Q'],
    [
      'an enum first',
      `enum E { A { int f() { return 1; } }, B; int f() { return 0; } } public final class Q { ${main} }`,
      'Q.java',
      'Q',
    ],
    [
      'an annotation first',
      `@interface N { String[] value() default {"}"}; } @N({"{"}) public class Q { ${main} }`,
      'Q.java',
      'Q',
    ],
    [
      'a package',
      `package org.example . app; import java.util.*; public class Q { ${main} }`,
      'Q.java',
      'org.example.app.Q',
    ],
    [
      'an annotated one',
      `@SuppressWarnings({"a", "{"}) @Deprecated public strictfp class Q { ${main} }`,
      'Q.java',
      'Q',
    ],
    ['main in an interface', 'public interface Q { static void main(String... a) { } }', 'Q.java', 'Q'],
    ['main in an enum', `public enum Q { A, B; ${main} }`, 'Q.java', 'Q'],
    [
      'sealed ones',
      `sealed interface S permits X { } non-sealed class X implements S { } public class Q { ${main} }`,
      'Q.java',
      'Q',
    ],
    ['a public class beside that with main', `public class Q { } class R { ${main} }`, 'Q.java', 'R'],
    [
      'a main of its own kind',
      `class H { static void main(int a) { } void main(String[] a) { } } class R { ${main} }`,
      'Main.java',
      'R',
    ],
    [
      'a main in a nested class',
      `class H { static class I { ${main} } } class R { ${main} }`,
      'Main.java',
      'R',
    ],
    [
      'other words for its parameter',
      'public class Q { final public static synchronized void main(final java.lang.String args[]) { } }',
      'Q.java',
      'Q',
    ],
    [
      'type parameters',
      'public class Q<T extends Comparable<? super T>> { static <U> void f() { } public static <V> void main(String[] a) { } }',
      'Q.java',
      'Q',
    ],
    ['names outside ASCII', `public class Žluť { ${main} }`, 'Žluť.java', 'Žluť'],
    ['escapes', `public class \\u0051 \\u007b ${main} }`, 'Q.java', 'Q'],
    ['none that is known', 'fun main() { println("class X { }") }', 'Main.java', 'Main'],
    ['nothing', '', 'Main.java', 'Main'],
    ['no main', 'public class Foo { }', 'Foo.java', 'Foo'],
    ['a class that is not closed', `public class Foo { ${main} `, 'Foo.java', 'Foo'],
    [
      'a name that no file system takes',
      `public class ${'x'.repeat(300)} { ${main} }`,
      'Main.java',
      'x'.repeat(300),
    ],
  ])('has the file that javac wants, and starts the class with main: %s', (_, code, path, started) => {
    expect(ofCode(code)).toEqual([path, started]);
  });

  test('is not led astray by what is no code', () => {
    const astray = `class X { ${main} }`;
    const code = [
      `// public ${astray}`,
      `/* public ${astray} /* " */`,
      'class H {',
      `  String a = "\\" public ${astray}", b = "\\\\"; char c = '"', d = '\\'', e = '{';`,
      `  String t = """\n public ${astray} \\""" " {\n  """;`,
      '  static { int[] x = { 1, 2 }; Runnable r = () -> { }; }',
      `  Object o = new Object() { public String toString() { return "}"; } };`,
      '}',
      `public class Q { ${main} }`,
    ].join('\n');
    expect(ofCode(code)).toEqual(['Q.java', 'Q']);
  });

  test('finds it among files, whatever they are called', () => {
    const helper = file('Helper.java', 'public class Helper { }');
    const app = `public class App { ${main} }`;
    expect(planned({ files: [helper, file('App.java', app)] })).toEqual({
      files: ['Helper.java', 'App.java'],
      compiled: ['App.java', 'Helper.java'],
      started: 'App',
    });
    const data = file('App.txt', 'x');
    expect(planned({ files: [file('prog.java', app), data] })).toMatchObject({
      files: ['App.java', 'App.txt'],
      started: 'App',
    });
    // Where that name is taken javac says what it thinks of the two.
    expect(planned({ files: [file('a.java', app), file('App.java', app)] }).files).toEqual([
      'a.java',
      'App.java',
    ]);
    const inPackage = [
      file('src/main/java/org/x/Util.java', `package org.x; public class Util { ${main} }`),
      file('src/main/java/org/x/Main.java', `package org.x; public class Main { ${main} }`),
    ];
    expect(planned({ files: inPackage }).started).toBe('org.x.Main');
    const two = [file('A.java', `class A { ${main} }`), file('Main.java', `class Main { ${main} }`)];
    expect(planned({ files: two }).started).toBe('Main');
    const encoded = {
      path: 'A.java',
      content: Buffer.from(`class B { ${main} }`).toString('base64'),
      encoding: 'base64',
    };
    expect(planned({ files: [encoded] }).started).toBe('B');
  });

  test.each([
    '/*',
    '"',
    '\\"',
    "'",
    '"""',
    '(',
    '{',
    '@a(',
    '@',
    'class A {',
    '\\u0022',
    '//\n',
    '\ud83d\ude00',
    'x.',
    'main(',
  ])('takes a time in proportion to the length, whatever is in it: %j', (piece) => {
    const began = performance.now();
    scanJava(`class B { ${piece.repeat(Math.ceil(400_000 / piece.length))}`);
    expect(performance.now() - began).toBeLessThan(60_000);
  });

  test('is not looked through where there is more of it than anybody writes', () => {
    expect(ofCode(`public class Q { ${main} }${' '.repeat(1_100_000)}`)).toEqual(['Main.java', 'Main']);
  });
});

test('files of other languages keep their names', () => {
  const code = `public class Solution { ${main} }`;
  const request = schema.parse({ language: 'python', files: [file('main.py', ''), file('a.java', code)] });
  expect(filesOf(request).map(({ path }) => path)).toEqual(['main.py', 'a.java']);
});
