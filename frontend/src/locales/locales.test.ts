import { describe, expect, it } from 'vitest'
import en from './en.json'
import es from './es.json'

const sources = import.meta.glob<string>('../**/*.{vue,ts}', {
  query: '?raw',
  import: 'default',
  eager: true,
})

function entries(messages: object, path = ''): [string, string][] {
  return Object.entries(messages).flatMap(([key, value]) =>
    typeof value === 'string' ? [[path + key, value]] : entries(value, `${path}${key}.`),
  ) as [string, string][]
}

function placeholders(text: string): string[] {
  return [...new Set(text.match(/\{\w+\}/g))].sort()
}

const english = new Map(entries(en))
const spanish = new Map(entries(es))

describe('the languages', () => {
  it('have the same messages', () => {
    expect([...spanish.keys()]).toEqual([...english.keys()])
  })

  it('say something in every message', () => {
    for (const messages of [english, spanish]) {
      for (const [key, text] of messages) expect(text.trim(), key).not.toBe('')
    }
  })

  it('put the same values into each message, in as many plural forms', () => {
    for (const [key, text] of english) {
      const translated = spanish.get(key) ?? ''
      expect(placeholders(translated), key).toEqual(placeholders(text))
      expect(translated.split(' | ').length, key).toBe(text.split(' | ').length)
    }
  })

  it('have every message that the page names', () => {
    const unknown = Object.entries(sources)
      .filter(([path]) => !path.endsWith('.test.ts'))
      .flatMap(([path, source]) =>
        [...source.matchAll(/\bt\(\s*'([^']+)'/g)].map(([, key]) => ({ path, key: key! })),
      )
      .filter(({ key }) => !english.has(key))
    expect(unknown).toEqual([])
  })

  it('have no message that the page never shows', () => {
    const text = Object.values(sources).join('\n')
    const prefixes = [...text.matchAll(/\bte?\(\s*`([^`$]+)\$\{/g)].map(([, prefix]) => prefix!)
    const unused = [...english.keys()].filter(
      (key) => !text.includes(`'${key}'`) && !prefixes.some((prefix) => key.startsWith(prefix)),
    )
    expect(unused).toEqual([])
  })
})
