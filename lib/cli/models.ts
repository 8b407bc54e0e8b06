// `transweld models`: what lies in the hub's cache, as a table or as JSON.
import type { Command } from 'commander'
import { type CachedModel, cachedModels } from '../hub/cached.ts'
import { cacheFolder } from '../hub/settings.ts'
import { alignedTable } from './table.ts'

/** Adds the command to the program. */
export function add(program: Command): void {
  program.command('models')
    .description('list the models in the cache of the Hugging Face hub: size, family, dtype, and whether they are whole')
    .option('--dir <dir>', 'another cache (default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub)')
    .option('--json', 'print the list as JSON')
    .action(async ({ dir = cacheFolder(), json }: { dir?: string, json?: boolean }) => {
      const models = await cachedModels(dir)
      process.stdout.write(json ? JSON.stringify(models, null, 2) + '\n' : words(models, dir))
    })
}

function words(models: readonly CachedModel[], dir: string): string {
  if (models.length === 0) return `no models in ${dir}\n`
  const rows = models.map(({ id, commit, revisions, bytes, family, dtype }) =>
    [id, revisions.join(' ') || '-', commit?.slice(0, 8) ?? '-', size(bytes), family ?? '-', dtype ?? '-'])
  const faults = models.filter(one => one.missing.length > 0 || one.unfinishedBytes > 0).map(fault)
  return alignedTable([['model', 'revision', 'commit', 'size', 'family', 'dtype'], ...rows]) + faults.join('') + `in ${dir}\n`
}

function fault({ id, commit, missing, unfinishedBytes }: CachedModel): string {
  const more = missing.length > 3 ? ` and ${missing.length - 3} more` : ''
  const what = [
    ...(missing.length > 0 ? [`lacks ${missing.slice(0, 3).join(', ')}${more}`] : []),
    ...(unfinishedBytes > 0 ? [`${size(unfinishedBytes)} of an unfinished download`] : []),
  ]
  return `${id}${commit === undefined ? '' : ` ${commit.slice(0, 8)}`}: ${what.join('; ')}\n`
}

/** Bytes as one says them: 812 B, 3.4 MB, 15.0 GB. */
function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let at = 0, value = bytes
  for (; value >= 999.95 && at < units.length - 1; at++) value /= 1000
  return `${at === 0 ? value : value.toFixed(1)} ${units[at]}`
}
