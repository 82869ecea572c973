import { type Config, howToGetAKey, maskKey } from '../config/config.ts';
import { type Check, failed, ok, warning } from './check.ts';

export function checkConfig({ url, urlFrom, apiKey, apiKeyFrom, file }: Config): Check[] {
  const checks = [ok('config', `${url} (${urlFrom}); file ${file.path}${file.found ? '' : ', not there'}`)];
  if (file.exposed)
    checks.push(
      warning('config file', `${file.path} holds a key and others may read it`, `chmod 600 ${file.path}`),
    );
  checks.push(
    apiKey === undefined
      ? failed('key', 'There is no API key', howToGetAKey)
      : ok('key', `${maskKey(apiKey)} (${apiKeyFrom})`),
  );
  return checks;
}
