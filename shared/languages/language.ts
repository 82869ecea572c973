import { z } from 'zod';

const word = z.string().min(1);
const argv = z.array(z.string()).min(1);

/**
 * One language: a data file in data/, and nothing else.
 *
 * Command lines may hold, as whole arguments: `{file}` the entry file; `{others}` every other given file with one of the
 * language's extensions; `{folder}` the entry's folder, `./` in front; `{class}` what `naming` found to be started, else
 * the entry as Java names a class, `app/Main.java` as `app.Main`. Within an argument, or a value of `env`, for a runtime that is to be told: `{memoryMiB}` and `{stackKiB}`, `{memoryKiB:80%}`
 * for a part of it (sizes.ts); not in those of a language that is held, whose program is started before its limits are known. The request's args follow the run's command line. What a compiler makes goes to /tmp,
 * so that it is no artifact of the work folder.
 */
const commands = z.strictObject({ compile: argv.optional(), run: argv });

export const language = commands.extend({
  name: z.string().regex(/^[a-z][a-z0-9+#-]*$/),
  title: word,
  /**
   * Of what is in the image that Runlet builds, as semver; its patch is 0 where Debian's updates change it. The tags of official
   * images move on: theirs may have another patch, so that a range should name none.
   */
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  aliases: z.array(word).default([]),
  /** Without the dot. A file's language is known by it. */
  extensions: z.array(word).default([]),
  /** What `code` is called in the work folder. */
  fileName: word,
  /** Set where a file's name and what is started depend on what the sources declare: how they are read (naming.ts). */
  naming: z.enum(['java']).optional(),
  /** The official image where there is one; infra/images has a definition of the same name for sites without a registry. */
  image: word,
  /** Only where no public registry has the image: by what name infra/images builds it, as in `npm run images -- lua`. */
  builtAs: word.optional(),
  /** Commands instead of the usual ones where a file of this name is among those given: a project of the language's own tool. */
  projects: z.record(word, commands.partial()).default({}),
  /**
   * A command that starts the interpreter and nothing else, and leaves no file: it is run in sandboxes that are made ahead.
   * Worth it where it takes a few ms; each such sandbox costs that much more to make.
   */
  warmUp: argv.optional(),
  /**
   * The program of a sandbox that is made ahead is started before its code comes, and held as it first names this path
   * (`{file}`: the entry file) to the kernel. Up to there it must look at nothing that a run brings, and not at the clock: a
   * program that can ask how long it has been running (Bash's SECONDS, Node's performance.now, Perl's $^T) would find the time
   * that it was held.
   */
  hold: word.optional(),
  /** The least time that a compile gets, whatever the run's own limit. */
  compileTimeoutMs: z.int().positive().default(30_000),
  env: z.record(z.string(), z.string()).default({}),
  /** Defaults above the usual ones, for requests that do not set the limit. */
  limits: z
    .strictObject({
      memoryBytes: z.int().positive().optional(),
      pids: z.int().positive().optional(),
      diskBytes: z.int().positive().optional(),
    })
    .default({}),
});

export type Language = z.infer<typeof language>;
