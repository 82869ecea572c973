import { statSync } from 'node:fs';
import type { ExitEvent } from '../../../shared/contracts/events.ts';
import type { Run } from '../../../shared/contracts/run.ts';
import type { Image } from '../../../shared/contracts/worker.ts';
import { nearest } from '../../../shared/did-you-mean.ts';
import type { Context } from '../context.ts';
import type { ApiClient } from '../http/api-client.ts';
import { shellWords } from '../parse/words.ts';
import { outputBytes, type RunEvent } from './follow.ts';
import { isLanguageName } from './language-of.ts';

/** How long the registry is asked in silence before we say that it is. */
const silenceMs = 2000;
/** A message may come in two pieces, so this much of the one before is kept. */
const keptCharacters = 4096;

/** What runtimes and tools write when a host cannot be reached or a name cannot be resolved. */
const unreachable =
  /Network (?:is )?unreachable|ENETUNREACH|EAI_AGAIN|ENOTFOUND|name resolution|Name or service not known|getaddrinfo|(?:could not|couldn.t|can.t|unable to|cannot) resolve|bad address|No address associated|no such host|nodename nor servname|UnknownHostException|dial tcp|Temporary failure resolving/i;

/** What is looked at of the body of `POST /v1/runs`. */
type Asked = {
  image?: string;
  language?: string;
  command?: string[];
  entrypoint?: string[];
  tty?: boolean;
  network?: string;
};

/** What a user who does not know Runlet yet needs to hear about a run, and what neither its output nor its end says. */
export class Hints {
  readonly #request: Asked;
  readonly #api: ApiClient;
  readonly #quiet: boolean;
  readonly #note: (text: string) => void;
  #tail = '';
  #isUnreachable = false;

  constructor(request: Asked, { api, note, quiet }: Pick<Context, 'api' | 'note' | 'quiet'>) {
    this.#request = request;
    this.#api = api;
    this.#quiet = quiet;
    this.#note = note;
  }

  /** Passes the events on, looks at them, and says what is waited for when the registry takes long. */
  async *watch(events: AsyncIterable<RunEvent>): AsyncGenerator<RunEvent> {
    let timer: NodeJS.Timeout | undefined;
    try {
      for await (const event of events) {
        clearTimeout(timer);
        if (event.type === 'status' && event.data.status === 'pulling')
          timer = setTimeout(() => this.#note(`Asking the registry for ${this.#image} …`), silenceMs);
        // A terminal's output is all stdout.
        if (event.type === 'stderr' || (event.type === 'stdout' && this.#request.tty === true))
          this.#look(outputBytes(event.data).toString());
        yield event;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** To be called after the end was told. */
  async tell(end: ExitEvent): Promise<void> {
    if (end.status === 'errored') await this.#tellError(end.error?.code ?? '');
    else if (end.status !== 'succeeded' && this.#isUnreachable && this.#request.network !== 'egress')
      this.#note('The run has no network: --network egress gives it one.');
  }

  #look(text: string): void {
    if (this.#isUnreachable) return;
    const seen = this.#tail + text;
    this.#isUnreachable = unreachable.test(seen);
    this.#tail = seen.slice(-keptCharacters);
  }

  get #image(): string {
    const { image, language } = this.#request;
    return image ?? `the image of ${language}`;
  }

  async #tellError(code: string): Promise<void> {
    const { image, command, entrypoint } = this.#request;
    if (image === undefined || this.#quiet) return;
    const [program = '', ...rest] = command ?? [];
    if (code === 'command_not_found' && entrypoint === undefined && rest.length === 0 && / /.test(program))
      this.#note(
        `The quotes make one word of it. Write \`runlet run ${image} ${program}\`, or \`runlet run ${image} sh -c ${shellWords([program])}\`.`,
      );
    else if (code === 'command_not_found' && entrypoint === undefined && program.startsWith('-'))
      this.#note(optionHint(image, program));
    else if (/^(?:image_not_found|registry_\w+|pull_\w+)$/.test(code)) await this.#tellImage(image);
  }

  async #tellImage(image: string): Promise<void> {
    if (isLanguageName(image))
      this.#note(
        `${image} is also a language: \`runlet run --lang ${image} -c CODE\`, or a FILE, needs no image's name.`,
      );
    else if (isFolder(image))
      this.#note(
        `${image} is also a folder here. To run a program in it, name the file: \`runlet run ${image}/FILE\`.`,
      );
    else {
      const meant = nearest(withoutTag(image), (await this.#imagesThere()).map(withoutTag));
      if (meant !== undefined && meant !== withoutTag(image)) this.#note(`Did you mean ${meant}?`);
    }
  }

  /** The names of the images that the workers have. None if the server does not say. */
  async #imagesThere(): Promise<string[]> {
    try {
      const { data } = await this.#api.json<{ data: Image[] }>({ path: '/v1/images?limit=100' });
      return data.map(({ reference }) => reference);
    } catch {
      return [];
    }
  }
}

const withoutTag = (reference: string) => reference.replace(/(?::[^:/]*)?(?:@.*)?$/, '');

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** An option behind the image was taken for the image's command. */
function optionHint(image: string, option: string): string {
  const name = image.replace(/^.*\//, '').replace(/[:@].*$/, '');
  if (/^-[ce]$/.test(option) && isLanguageName(name))
    return `Code comes before the image and needs --lang: \`runlet run --lang ${name} -c CODE\`.`;
  return `What follows the image is its command, and ${option} was taken for one. Options come before the image: \`runlet run ${option} … ${image}\`.`;
}

/** Says that no file was kept although some were asked for. */
export function nothingKept(run: Run, patterns: readonly string[]): string | undefined {
  const hasRun = !['errored', 'cancelled', 'expired'].includes(run.status);
  if (!hasRun || run.artifacts.length > 0) return undefined;
  return `Nothing matched --artifact ${shellWords(patterns)}: no file was kept. Globs are relative to the work folder.`;
}
