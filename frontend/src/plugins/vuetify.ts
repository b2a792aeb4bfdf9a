/** Vuetify with the page's own colours, plain buttons and SVG icons. */
import 'vuetify/styles/core'
import { createVuetify } from 'vuetify'
import { aliases, mdi } from 'vuetify/iconsets/mdi-svg'
import { en, es } from 'vuetify/locale'

const shared = {
  'high-emphasis-opacity': 1,
  'medium-emphasis-opacity': 0.78,
  'disabled-opacity': 0.55,
}

export const vuetify = createVuetify({
  theme: {
    defaultTheme: 'system',
    themes: {
      light: {
        colors: {
          background: '#f2f5f3',
          surface: '#ffffff',
          'on-surface': '#16201c',
          'on-background': '#16201c',
          muted: '#55635d',
          line: '#d8dfdb',
          wash: '#edf2ef',
          primary: '#0b5d4a',
          secondary: '#46574f',
          success: '#1b6b3d',
          warning: '#875400',
          error: '#a3281f',
          info: '#28527a',
        },
        variables: { ...shared, 'border-color': '#16201c', 'border-opacity': 0.24 },
      },
      dark: {
        colors: {
          background: '#0f1412',
          surface: '#171e1b',
          'on-surface': '#e3eae6',
          'on-background': '#e3eae6',
          muted: '#9fb0a8',
          line: '#2b3631',
          wash: '#1e2723',
          primary: '#7fd1b9',
          'on-primary': '#06251c',
          secondary: '#b4c4bc',
          'on-secondary': '#16201c',
          success: '#86d39f',
          'on-success': '#06251c',
          warning: '#e8bb62',
          'on-warning': '#2b1c00',
          error: '#f4a59d',
          'on-error': '#3a0a06',
          info: '#9cc3ea',
          'on-info': '#0a2238',
        },
        variables: { ...shared, 'border-color': '#e3eae6', 'border-opacity': 0.26 },
      },
      // Every colour of text reaches 7:1 on every background that the page puts it on.
      projector: {
        dark: false,
        colors: {
          background: '#ffffff',
          surface: '#ffffff',
          'on-surface': '#000000',
          'on-background': '#000000',
          muted: '#262626',
          line: '#000000',
          wash: '#f0f0f0',
          primary: '#003d2f',
          secondary: '#262626',
          success: '#004d1f',
          warning: '#5c3200',
          error: '#8c0000',
          info: '#00315f',
        },
        variables: {
          'high-emphasis-opacity': 1,
          'medium-emphasis-opacity': 1,
          'disabled-opacity': 0.7,
          'border-color': '#000000',
          'border-opacity': 1,
        },
      },
    },
  },
  icons: { defaultSet: 'mdi', aliases, sets: { mdi } },
  locale: { locale: 'en', fallback: 'en', messages: { en, es } },
  defaults: {
    VBtn: { variant: 'flat', ripple: false },
    VTextField: {
      variant: 'outlined',
      density: 'comfortable',
      color: 'primary',
      hideDetails: 'auto',
    },
    VTextarea: {
      variant: 'outlined',
      density: 'comfortable',
      color: 'primary',
      hideDetails: 'auto',
    },
    VCombobox: {
      variant: 'outlined',
      density: 'comfortable',
      color: 'primary',
      hideDetails: 'auto',
    },
    VListItem: { ripple: false },
    VProgressLinear: { color: 'primary', rounded: true, height: 6 },
  },
})
