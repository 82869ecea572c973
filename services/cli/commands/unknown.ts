import { statSync } from 'node:fs';
import { isLanguageName, languageOf, nearestLanguage } from '../run/language-of.ts';

/** What users of Docker and of other tools type, and what it is called here. */
const others: Record<string, string> = {
  build:
    'Images are built elsewhere, and named in `runlet run IMAGE`; `runlet run --file FOLDER IMAGE` sends files along',
  create: '`runlet run -d IMAGE` starts a run, `runlet up IMAGE` a service',
  deploy: '`runlet up IMAGE` starts a service',
  serve: '`npm start` starts Runlet itself, `runlet up IMAGE` a service',
  server: '`npm start` starts Runlet itself',
  kill: '`runlet cancel RUN` ends a run, `runlet stop NAME` a service',
  delete: '`runlet rm RUN` removes a run or a service, `runlet rmi IMAGE` an image',
  remove: '`runlet rm RUN` removes a run or a service, `runlet rmi IMAGE` an image',
  inspect: '`runlet show RUN` shows all of a run',
  get: '`runlet show RUN` shows all of a run',
  info: '`runlet doctor` looks at the whole installation',
  status: '`runlet ps` lists runs, `runlet doctor` looks at the whole installation',
  runs: '`runlet ps` lists runs',
  down: '`runlet rm NAME` removes a service, `runlet stop NAME` stops it',
  service: '`runlet services` lists services, `runlet up IMAGE` starts one',
  sh: '`runlet exec -it NAME sh` is a shell in a service, `runlet run -it IMAGE sh` one in a new run',
  shell: '`runlet exec -it NAME sh` is a shell in a service, `runlet run -it IMAGE sh` one in a new run',
  ssh: '`runlet exec -it NAME sh` is a shell in a service',
  nodes: '`runlet workers` lists the workers',
  logout: '`runlet config` names the file that holds the key: remove it there',
  lang: '`runlet languages` lists the languages',
  langs: '`runlet languages` lists the languages',
};

/**
 * What to type instead of a word that is no command; `undefined` if it tells nothing.
 *
 * @param isNear there is a command of almost this name
 */
export function insteadOf(word: string, isNear: boolean): string | undefined {
  const other = Object.hasOwn(others, word) ? others[word] : undefined;
  if (other !== undefined) return `${other}.`;
  if (isFile(word) || languageOf(word) !== undefined) return `To run a program: \`runlet run ${word}\`.`;
  if (isLanguageName(word)) return `To run code: \`runlet run --lang ${word} -c CODE\`, or a FILE.`;
  const language = isNear ? undefined : nearestLanguage(word);
  if (language !== undefined) return `To run code: \`runlet run --lang ${language} -c CODE\`, or a FILE.`;
  return /[-:/.]/.test(word) ? `To run an image: \`runlet run ${word}\`.` : undefined;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
