/** The languages of the page. English is built in; the others are loaded when they are chosen. */
import { createI18n } from 'vue-i18n'
import en from './en.json'

export const LOCALES = { en: 'English', es: 'Español' } as const
export type Locale = keyof typeof LOCALES
export type Messages = typeof en

export function isLocale(value: unknown): value is Locale {
  return typeof value === 'string' && value in LOCALES
}

export const i18n = createI18n<[Messages], Locale, false>({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en } as Record<Locale, Messages>,
})

export async function applyLocale(locale: Locale): Promise<void> {
  if (locale === 'es' && !i18n.global.availableLocales.includes('es')) {
    const { default: es } = await import('./es.json')
    i18n.global.setLocaleMessage('es', es)
  }
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
}
