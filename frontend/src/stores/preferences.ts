/** What a person chose for this page: language and colour scheme, remembered by the browser. */
import { defineStore } from 'pinia'
import { ref, watch } from 'vue'
import { isLocale, type Locale } from '@/locales'

export type Scheme = 'system' | 'light' | 'dark'

const LOCALE_KEY = 'concordance.locale'
const SCHEME_KEY = 'concordance.scheme'

export const usePreferences = defineStore('preferences', () => {
  const locale = ref<Locale>(firstLocale())
  const scheme = ref<Scheme>(firstScheme())

  watch(locale, (value) => remember(LOCALE_KEY, value))
  watch(scheme, (value) => remember(SCHEME_KEY, value))

  return { locale, scheme }
})

function firstLocale(): Locale {
  const remembered = recall(LOCALE_KEY)
  if (isLocale(remembered)) return remembered
  const spoken = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLocale)
  return spoken ?? 'en'
}

function firstScheme(): Scheme {
  const remembered = recall(SCHEME_KEY)
  return remembered === 'light' || remembered === 'dark' ? remembered : 'system'
}

// A browser may refuse storage; then the choice lasts as long as the page.
function recall(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    return
  }
}
