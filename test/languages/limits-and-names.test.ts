import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Runlet } from '../support/runlet.ts';
import { buildingMs, startWithLanguages } from './support.ts';

/** What judges and editors send: programs that go deep, that fill their memory, and whose classes have any name. */
const MiB = 1024 * 1024;
const names = ['cpp', 'python', 'java', 'javascript', 'typescript', 'go'];
let runlet: Runlet;

beforeAll(async () => {
  runlet = await startWithLanguages(names);
}, buildingMs);

afterAll(() => runlet.stop());

const run = async (language: string, code: string, more: Record<string, unknown> = {}) => {
  const limits = { memoryBytes: 512 * MiB, timeoutMs: 60_000, ...(more.limits as object) };
  const { status, signal, stdout, error, steps } = await runlet.run({ language, code, ...more, limits });
  const { stderr = '', limit } = steps.at(-1) ?? {};
  return { status, signal, stdout, stderr, limit, error: error?.code ?? null };
};
const fine = (stdout: string) => ({
  status: 'succeeded',
  signal: null,
  stdout,
  stderr: '',
  limit: null,
  error: null,
});

describe('the stack', () => {
  const search = `#include <cstdio>
#include <vector>
std::vector<int> next_;
int deep(int v) { volatile char pad[64]; pad[v % 64] = 1; return next_[v] < 0 ? 1 : deep(next_[v]) + pad[v % 64]; }
int main() {
  const int n = 1000000;
  for (int i = 0; i < n; i++) next_.push_back(i + 1 < n ? i + 1 : -1);
  std::printf("%d\\n", deep(0));
}`;

  test('lets a depth-first search in C++ go a million deep', async () => {
    expect(await run('cpp', search)).toEqual(fine('1000000\n'));
  });

  test('is as large as was said', async () => {
    const ended = await run('cpp', search, { limits: { stackBytes: 8 * MiB } });
    expect(ended).toMatchObject({ status: 'failed', signal: 'SIGSEGV', limit: null, error: null });
  });

  test('of each of fifty threads is the same, and takes no memory before it is used', async () => {
    const threads = `#include <atomic>
#include <cstdio>
#include <pthread.h>
#include <thread>
#include <vector>
int main() {
  std::atomic<int> here{0};
  std::vector<std::thread> all;
  for (int i = 0; i < 50; i++) all.emplace_back([&] { here++; while (here < 50) std::this_thread::yield(); });
  for (auto &one : all) one.join();
  pthread_attr_t attributes;
  size_t size;
  pthread_attr_init(&attributes);
  pthread_attr_getstacksize(&attributes, &size);
  std::printf("%d %zu\\n", here.load(), size / 1048576);
}`;
    expect(await run('cpp', threads, { limits: { memoryBytes: 256 * MiB } })).toEqual(fine('50 256\n'));
  });

  test('is that of the run where its interpreter was started before, whatever memory it asks for', async () => {
    const code = 'import resource; print(resource.getrlimit(resource.RLIMIT_STACK)[0] >> 20)';
    for (const limits of [{}, { memoryBytes: 300 * MiB }, { stackBytes: 20 * MiB }]) {
      const ended = await run('python', code, { limits: { memoryBytes: 256 * MiB, ...limits } });
      expect(ended).toEqual(fine(`${(Object.values(limits)[0] ?? 256 * MiB) / MiB}\n`));
    }
  });

  const java = `public class Deep {
  static int down(int n) { return n == 0 ? 0 : 1 + down(n - 1); }
  static int endless() { return endless() + 1; }
  public static void main(String[] args) {
    if (args.length > 1) try { endless(); } catch (StackOverflowError e) { System.out.println("overflow"); }
    System.out.println(down(Integer.parseInt(args[0])));
  }
}`;

  test('of Java follows, and its end is told by Java itself', async () => {
    const limits = { stackBytes: 256 * MiB };
    expect(await run('java', java, { args: ['1000000'], limits })).toEqual(fine('1000000\n'));
    expect(await run('java', java, { args: ['100000', 'x'] })).toEqual(fine('overflow\n100000\n'));
  });

  test('of Node follows, and its end is told by Node itself', async () => {
    const code = `const down = (n) => (n === 0 ? 0 : 1 + down(n - 1));
const endless = () => endless() + 1;
try { endless(); } catch (error) { console.log(error.name); }
console.log(down(Number(process.argv[2])));`;
    const said = (depth: number) => fine(`RangeError\n${depth}\n`);
    expect(await run('javascript', code, { args: ['50000'] })).toEqual(said(50_000));
    expect(await run('javascript', code, { args: ['500'], limits: { stackBytes: MiB } })).toEqual(said(500));
    const limits = { stackBytes: 256 * MiB };
    expect(await run('javascript', code, { args: ['500000'], limits })).toEqual(said(500_000));
  });
});

describe('memory: four fifths of it are a program’s to use, and more is the end of it, in', () => {
  const code: Record<string, string> = {
    javascript: `const all = [];
for (let i = 0; i < Number(process.argv[2]); i++) all.push(new Array(131072).fill(i + 0.5));
console.log(all.length);`,
    typescript: `const all: number[][] = [];
for (let i = 0; i < Number(process.argv[2]); i++) all.push(new Array<number>(131072).fill(i + 0.5));
console.log(all.length);`,
    java: `import java.util.*;
class Fill {
  public static void main(String[] args) {
    List<byte[]> all = new ArrayList<>();
    for (int i = 0; i < Integer.parseInt(args[0]); i++) { byte[] one = new byte[1 << 20]; Arrays.fill(one, (byte) 1); all.add(one); }
    System.out.println(all.size());
  }
}`,
  };

  test.each(Object.keys(code))('%s', { timeout: 240_000 }, async (language) => {
    expect(await run(language, code[language] ?? '', { args: ['400'] })).toEqual(fine('400\n'));
    const ended = await run(language, code[language] ?? '', { args: ['2048'] });
    if (language === 'java') expect(ended.stderr).toContain('OutOfMemoryError');
    else expect(ended).toMatchObject({ status: 'out_of_memory', limit: 'memory', error: 'memory_limit' });
  });

  test('Go, with garbage of many times that', { timeout: 240_000 }, async () => {
    const garbage = `package main
import "os"
func main() {
	live := make([][]byte, 300)
	for i := 0; i < 3000; i++ {
		one := make([]byte, 1<<20)
		for j := 0; j < len(one); j += 4096 { one[j] = 1 }
		live[i%300] = one
	}
	sum := 0
	for _, one := range live { sum += int(one[0]) }
	if sum == 300 { os.Stdout.WriteString("300\\n") }
}`;
    expect(await run('go', garbage)).toEqual(fine('300\n'));
  });
});

describe('Java', () => {
  const main = (does: string) => `public static void main(String[] args) throws Exception { ${does} }`;

  test.each([
    [
      'a public class of any name',
      `public class Solution { ${main('System.out.println("one " + args[0]);')} }`,
      'one a\n',
    ],
    [
      'an interface first, in a package',
      `package org.example; interface Shape { int area(); }
record Square(int side) implements Shape { public int area() { return side * side; } }
class Start { ${main('System.out.println(new Square(3).area());')} }`,
      '9\n',
    ],
  ])('runs %s', async (_, code, said) => {
    expect(await run('java', code, { args: ['a'] })).toEqual(fine(said));
  });

  test('finds its class among files, and gives one the name that javac wants', async () => {
    const files = [
      { path: 'Helper.java', content: 'public class Helper { static int f() { return 4; } }' },
      { path: 'prog.java', content: `public class App { ${main('System.out.println(Helper.f());')} }` },
    ];
    const { status, stdout } = await runlet.run({ language: 'java', files });
    expect({ status, stdout }).toEqual({ status: 'succeeded', stdout: '4\n' });
  });

  test('speaks UTF-8, whatever a program does with its text', async () => {
    const code = `public class Žluť { ${main(`
      String line = new java.util.Scanner(System.in).nextLine();
      java.nio.file.Files.writeString(java.nio.file.Path.of("soubor-ž.txt"), line);
      System.out.println("žluť \\u017e " + args[0] + " " + line + " " + new String("ž".getBytes()).length());
      for (String name : new java.io.File(".").list()) if (name.endsWith(".txt")) System.out.println(name);
      System.err.print("ž");`)} }`;
    const ended = await run('java', code, { args: ['ňů'], stdin: 'čau\n' });
    expect(ended).toEqual({ ...fine('žluť ž ňů čau 1\nsoubor-ž.txt\n'), stderr: 'ž' });
  });

  test('has what is no Java refused by its compiler', async () => {
    const ended = await run('java', 'fun main() { println("kotlin") }');
    expect(ended).toMatchObject({ status: 'failed', error: null });
    expect(ended.stderr).toContain('Main.java:1: error');
  });
});

describe('TypeScript', () => {
  const every = `enum Color { Red = 1, Green }
namespace Geometry { export const area = (r: number): number => 3 * r * r; }
class Point { constructor(private readonly x: number, public y = 2) {} sum(): number { return this.x + this.y; } }
const enum Size { Large = 5 }
console.log(Color.Green, Color[1], Geometry.area(2), new Point(1).sum(), Size.Large);\n`;

  test.each([
    ['a script', `${every}import fs = require("node:fs"); console.log(typeof fs.readFileSync);`],
    ['a module', `import fs from "node:fs";\n${every}await null; console.log(typeof fs.readFileSync);`],
  ])('that has to be transformed runs, as %s, and says nothing of it', async (_, code) => {
    expect(await run('typescript', code)).toEqual(fine('2 Red 12 3 5\nfunction\n'));
  });

  test('of several files and kinds runs', async () => {
    const files = [
      {
        path: 'main.mts',
        content:
          'import { f, type T } from "./lib/x.ts"; import c from "./c.cts"; const t: T = { n: 2 }; console.log(f(t), c.v);',
      },
      {
        path: 'lib/x.ts',
        content:
          'export type T = { n: number }; enum One { one = 1 } export const f = (t: T) => t.n + One.one;',
      },
      { path: 'c.cts', content: 'namespace N { export const v = 9; } module.exports = N;' },
    ];
    const { status, stdout, stderr } = await runlet.run({ language: 'ts', files });
    expect({ status, stdout, stderr }).toEqual({ status: 'succeeded', stdout: '3 9\n', stderr: '' });
  });

  test('fails at the line that was written', async () => {
    const code =
      'enum E {\n  X,\n  Y,\n}\n\nfunction boom(): never {\n  throw new Error("it is " + E.Y);\n}\nboom();\n';
    const { stderr } = await run('typescript', code);
    expect(stderr).toMatch(/Error: it is 1\n\s+at boom \(\/work\/main\.ts:7:9\)/);
  });
});

describe('the user of a run, whose number is another each time, is called the same in every image, and at home in /work: in', () => {
  const code: Record<string, string> = {
    // Its image has a user `node`, of the number 1000.
    javascript: `const os = require('node:os'); const { username, homedir, uid, gid } = os.userInfo();
console.log(username, homedir, os.homedir(), uid === gid && uid > 1000);`,
    python: `import getpass, os, pwd
user = pwd.getpwuid(os.getuid())
print(user.pw_name, user.pw_dir, os.path.expanduser('~runlet'), os.getuid() == os.getgid() == pwd.getpwnam(getpass.getuser()).pw_uid > 1000)`,
    java: `class Who { public static void main(String[] args) throws Exception {
  var view = (java.nio.file.attribute.PosixFileAttributeView) java.nio.file.Files.getFileAttributeView(java.nio.file.Path.of("."), java.nio.file.attribute.PosixFileAttributeView.class);
  System.out.println(System.getProperty("user.name") + " " + System.getProperty("user.home") + " /work " + view.getOwner().getName().equals(view.readAttributes().group().getName()));
} }`,
  };

  test.each(Object.keys(code))('%s', async (language) => {
    const yes = language === 'python' ? 'True' : 'true';
    expect(await run(language, code[language] ?? '')).toEqual(fine(`runlet /work /work ${yes}\n`));
  });
});
