/** Puts the page together: stores, language, colours, router, queries; then shows it. */
import { VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { observeAnswers } from './api/client'
import { servers } from './api/servers'
import { applyLocale, i18n } from './locales'
import { queryOptions } from './plugins/query'
import { vuetify } from './plugins/vuetify'
import { router } from './router'
import { useLink } from './stores/link'
import { usePreferences } from './stores/preferences'
import './styles/main.css'

const app = createApp(App)
app.use(createPinia())
app.use(i18n)
app.use(vuetify)
app.use(router)
app.use(VueQueryPlugin, queryOptions)

observeAnswers(useLink().noteAnswer)
servers.observe(useLink().noteMove)
void applyLocale(usePreferences().locale).finally(() => app.mount('#app'))
