/** What happy-dom lacks and Vuetify asks for. */
globalThis.visualViewport ??= new EventTarget() as VisualViewport
