import { z } from 'zod';
import { compilerOptionLists } from './compiler-options.ts';

const word = z.string().min(1);
const argv = z.array(z.string()).min(1);

/**
 * A language is defined by one data file in data/, and by nothing else.
 *
 * Command lines may contain these placeholders as whole arguments:
 * `{file}`: the entry file;
 * `{others}`: every other given file with one of the language's extensions;
 * `{options}`: in `compile`, the options of the request for the compiler;
 * `{folder}`: the entry's folder, with `./` in front;
 * `{class}`: the class to start that `naming` found; otherwise the entry as Java names a class, `app/Main.java` as `app.Main`.
 *
 * Sizes may stand within an argument, or in a value of `env`, where a runtime must be told its limits: `{memoryMiB}` and
 * `{stackKiB}`, or `{memoryKiB:80%}` for a part (sizes.ts). A language with `hold` may not use them, because its program is
 * started before its limits are known.
 *
 * The request's args follow the run's command line. A compiler writes its output to /tmp, so that the output is no artifact of
 * the work folder.
 */
const commands = z.strictObject({ compile: argv.optional(), run: argv });

export const language = commands.extend({
  name: z.string().regex(/^[a-z][a-z0-9+#-]*$/),
  title: word,
  /**
   * The version in the image that Runlet builds, as semver. The patch is 0 where Debian's updates change it. The tags of
   * official images move, so those images may have another patch: a range should not name a patch.
   */
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  aliases: z.array(word).default([]),
  /** Without the dot. The extension tells the language of a file. */
  extensions: z.array(word).default([]),
  /** The name of the file in the work folder that holds `code`. */
  fileName: word,
  /** Set where the sources decide a file's name and the class to start. It says how the sources are read (naming.ts). */
  naming: z.enum(['java']).optional(),
  /** The official image. Where there is none, an image named `runlet-…`, which no public registry has. */
  image: word,
  /** The name by which infra/images builds this image, or one like the official one: as in `npm run images -- lua`. */
  builtAs: word,
  /** Other commands, used where a file of this name is among the given files: a project of the language's own build tool. */
  projects: z.record(word, commands.partial()).default({}),
  /**
   * A command that starts only the interpreter and leaves no file. It is run in sandboxes that are made ahead of time. It is
   * useful if it takes a few ms; making each such sandbox takes that much longer.
   */
  warmUp: argv.optional(),
  /**
   * In a sandbox that is made ahead of time, the program is started before its code comes. It is held at the moment when it
   * first names this path (`{file}`: the entry file) to the kernel. Before that moment it must not read anything that a run
   * brings, nor the clock. A program that can ask how long it has been running (Bash's SECONDS, Node's performance.now, Perl's
   * $^T) would count the time for which it was held.
   */
  hold: word.optional(),
  /** The minimum time for a compile step, also where the run's own limit is lower. */
  compileTimeoutMs: z.int().positive().default(30_000),
  /** Which options a request may give to the compiler (compiler-options.ts). Absent: none. They stand for `{options}`. */
  compilerOptions: z.enum(compilerOptionLists).optional(),
  env: z.record(z.string(), z.string()).default({}),
  /** Defaults that are higher than the usual ones, for requests that do not set the limit. */
  limits: z
    .strictObject({
      memoryBytes: z.int().positive().optional(),
      pids: z.int().positive().optional(),
      diskBytes: z.int().positive().optional(),
    })
    .default({}),
});

export type Language = z.infer<typeof language>;
