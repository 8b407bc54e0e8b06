// `transweld generate`: text from a model, shown as it comes.
import type { Command } from 'commander'
import type { GeneratedToken, GenerateOptions, GenerationEnd } from '../model/generate.ts'
import type { LanguageModel } from '../model/model.ts'
import { TransweldError } from '../native/error.ts'
import { Interrupt } from './interrupt.ts'
import { exactlyOne, number, type ModelFlags, modelOptions, openModel, tokenIds, whole } from './options.ts'

interface Flags extends ModelFlags, Pick<GenerateOptions, 'maxTokens' | 'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty' | 'seed'> {
  readonly prompt?: string, readonly ids?: number[], readonly chat?: true, readonly system?: string
  readonly stop?: string[], readonly slide?: true, readonly json?: true
}

/** Adds the command to the program. */
export function add(program: Command): void {
  const command = program.command('generate').description('continue a text')
  modelOptions(command)
  command.option('--prompt <text>', 'the text to continue, or with --chat what the user says')
  command.option('--ids <list>', 'the prompt as token ids, such as 1,2,3: no tokenizer is needed', tokenIds)
  command.option('--chat', 'put the prompt into the chat template of the model')
  command.option('--system <text>', 'with --chat: what comes before, in the role of the system')
  command.option('--max-tokens <count>', 'the most new tokens', whole, 256)
  command.option('--temperature <number>', '0: always the most probable token', number, 0)
  command.option('--top-k <count>', 'only the most probable tokens', whole)
  command.option('--top-p <share>', 'only the most probable tokens that reach this probability together', number)
  command.option('--min-p <share>', 'only tokens at least this share as probable as the most probable one', number)
  command.option('--repetition-penalty <factor>', 'above 1: fewer repetitions', number)
  command.option('--seed <number>', 'of the draws', whole, 0)
  command.option('--stop <text...>', 'texts at which it ends')
  command.option('--slide', 'read the last tokens of what is longer than the context')
  command.option('--json', 'print a line of JSON for each token, and one for the end')
  command.action(run)
}

async function run(flags: Flags): Promise<void> {
  const { prompt, ids, chat, system } = flags
  if ((prompt === undefined) === (ids === undefined)) throw exactlyOne('--prompt', '--ids')
  if (chat && ids) throw new TransweldError('ERR_INVALID_ARGUMENT', 'expected --prompt with --chat but received --ids: a chat template needs text')
  if (system !== undefined && !chat) throw new TransweldError('ERR_INVALID_ARGUMENT', 'expected --chat with --system')
  using interrupt = new Interrupt(() => {})
  using model = await openModel(flags, interrupt.signal)
  const messages = [...system === undefined ? [] : [{ role: 'system', content: system }], { role: 'user', content: prompt }]
  const input = ids ?? (chat ? (await model.tokenizer()).encodeChat(messages, { addGenerationPrompt: true }) : prompt!)
  const { maxTokens = 256, temperature, topK, topP, minP, repetitionPenalty, seed, stop = [] } = flags
  const tokens = model.generate(input, {
    maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop, context: flags.slide ? 'slide' : 'error', signal: interrupt.signal,
    logprobs: flags.json === true,
  })
  await (flags.json ? lines(tokens) : text(tokens, await speaks(model, ids)))
}

// Ids alone may come from a model without a tokenizer: then ids are all that there is to show.
async function speaks(model: LanguageModel, ids: readonly number[] | undefined): Promise<boolean> {
  return ids === undefined || model.tokenizer().then(() => true, () => false)
}

type Tokens = AsyncGenerator<GeneratedToken, GenerationEnd, undefined>

async function text(tokens: Tokens, isText: boolean): Promise<void> {
  let last = '', step: IteratorResult<GeneratedToken, GenerationEnd> | undefined
  try {
    while (!(step = await tokens.next()).done) {
      const { text, id, index } = step.value, more = isText ? text : index === 0 ? String(id) : `,${id}`
      process.stdout.write(more)
      last = more || last
    }
  } finally { if (last !== '' && !last.endsWith('\n')) process.stdout.write('\n') }
  if (step.value === 'context') process.stderr.write('the context is full: --slide goes on with its last tokens\n')
}

async function lines(tokens: Tokens): Promise<void> {
  const ids: number[] = []
  let text = ''
  for (;;) {
    const step = await tokens.next()
    if (step.done) return void process.stdout.write(JSON.stringify({ end: step.value, ids, text }) + '\n')
    ids.push(step.value.id)
    text += step.value.text
    process.stdout.write(JSON.stringify(step.value) + '\n')
  }
}
