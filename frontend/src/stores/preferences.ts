/** What a person chose for this page: language and how it looks, remembered by the browser. */
import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'
import { isLocale, type Locale } from '@/locales'
import { recall, remember } from './memory'

/** `projector` is for those who look from far away: black on white, strong lines, larger type. */
const SCHEMES = ['system', 'light', 'dark', 'projector'] as const
export type Scheme = (typeof SCHEMES)[number]

/** How much larger than usual type and diagrams are on a projector. */
const PROJECTOR_TYPE_SCALE = 1.25

const LOCALE_KEY = 'concordance.locale'
const SCHEME_KEY = 'concordance.scheme'

export const usePreferences = defineStore('preferences', () => {
  const locale = ref<Locale>(firstLocale())
  const scheme = ref<Scheme>(firstScheme())

  /** What is measured in pixels takes this into account by itself. */
  const typeScale = computed(() => (scheme.value === 'projector' ? PROJECTOR_TYPE_SCALE : 1))

  watch(locale, (value) => remember(LOCALE_KEY, value))
  watch(scheme, (value) => remember(SCHEME_KEY, value))

  return { locale, scheme, typeScale }
})

function firstLocale(): Locale {
  const remembered = recall(LOCALE_KEY)
  if (isLocale(remembered)) return remembered
  const spoken = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLocale)
  return spoken ?? 'en'
}

function firstScheme(): Scheme {
  const remembered = recall(SCHEME_KEY)
  return SCHEMES.find((scheme) => scheme === remembered) ?? 'system'
}
