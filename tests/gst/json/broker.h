/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker.h: a real mosquitto on a port of loopback, and somebody who listens there. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct {
  gchar *folder; /* for its files */
  gchar *config;
  guint port;
  GSubprocess *process; /* NULL while it is away */
} Broker;

/* @config: lines of mosquitto.conf beside the listener; NULL: anybody may do anything. Not started yet. */
Broker *broker_new (const gchar *config);
/* The path of a file in its folder, for @config. */
gchar *broker_path (Broker *broker, const gchar *name);
void broker_set_config (Broker *broker, const gchar *config);
/* Returns when it listens. */
void broker_start (Broker *broker);
/* At once, without a word to anybody; what it retained is lost. */
void broker_kill (Broker *broker);
/* Sends it a signal; has it stopped when it returns from SIGSTOP. */
void broker_signal (Broker *broker, int number);
void broker_free (Broker *broker);
/* Runs a program to its end. */
void run_program (const gchar *first, ...) G_GNUC_NULL_TERMINATED;

/* A client that keeps all it hears of @topic. */
typedef struct _Listener Listener;
Listener *listener_new (Broker *broker, const gchar *id, const gchar *topic);
/* The payload of the next message of exactly @topic; those of other topics before it are skipped for good. Blocks.
 * (transfer full) */
gchar *listener_wait (Listener *listener, const gchar *topic);
/* The next message of any topic. */
gchar *listener_wait_any (Listener *listener, gchar **topic);
/* Waits until @topic says @payload. */
void listener_wait_for (Listener *listener, const gchar *topic, const gchar *payload);
void listener_publish (Listener *listener, const gchar *topic, const gchar *payload, gboolean retain);
void listener_free (Listener *listener);

G_END_DECLS
