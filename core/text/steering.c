/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * steering.c: a word's support is added to the logit of the token that completes it; a longer phrase that hides it
 * gives it back.
 *
 * Words outside of the table that begin like a phrase keep what it received: given back, it would make any token likely
 * that goes on with the word of an absent thing. Those that captions say are in the table, without needs.
 */
#include "core/text/steering.h"

#include <string.h>

/* Nodes 0 and 1 are the roots: of all phrases but those after a determiner, of all. A node's parent comes before it. */
#define ROOTS 2

typedef struct {
  gint32 token;
  guint position; /* of its logit */
  guint parent;
  GArray *children;        /* guint, indices of nodes; NULL: none */
  const UpiPhrase *phrase; /* that ends here */
} Node;

struct _UpiSteering {
  const UpiGrounding *grounding;
  GArray *nodes; /* Node */
};

static void
clear_node (gpointer data)
{
  g_clear_pointer (&((Node *) data)->children, g_array_unref);
}

static Node *
node_at (const UpiSteering *s, guint i)
{
  return &g_array_index (s->nodes, Node, i);
}

/* 0: there is none, as no root is a child. */
static guint
child_of (const UpiSteering *s, guint parent, gint32 token)
{
  const GArray *children = node_at (s, parent)->children;

  for (guint i = 0; children != NULL && i < children->len; i++) {
    guint child = g_array_index (children, guint, i);

    if (node_at (s, child)->token == token)
      return child;
  }
  return 0;
}

static guint
add_child (UpiSteering *s, guint parent, gint32 token, guint position)
{
  Node node = { .token = token, .position = position, .parent = parent };
  guint index = s->nodes->len;

  g_array_append_val (s->nodes, node);
  if (node_at (s, parent)->children == NULL)
    node_at (s, parent)->children = g_array_new (FALSE, FALSE, sizeof (guint));
  g_array_append_val (node_at (s, parent)->children, index);
  return index;
}

static void
add_entry (UpiSteering *s, guint root, const UpiGroundingEntry *entry, GHashTable *positions)
{
  guint node = root;

  for (guint i = 0; i < entry->n_tokens; i++)
    if (!g_hash_table_contains (positions, GINT_TO_POINTER (entry->tokens[i])))
      return; /* cannot be said */
  for (guint i = 0; i < entry->n_tokens; i++) {
    guint child = child_of (s, node, entry->tokens[i]);

    if (child == 0) {
      guint position = GPOINTER_TO_UINT (g_hash_table_lookup (positions, GINT_TO_POINTER (entry->tokens[i])));

      child = add_child (s, node, entry->tokens[i], position);
    }
    node = child;
  }
  node_at (s, node)->phrase = entry->phrase;
}

UpiSteering *
upi_steering_new (const UpiGrounding *grounding, const gint32 *token_ids, guint n)
{
  UpiSteering *s = g_new0 (UpiSteering, 1);
  const GArray *entries = upi_grounding_entries (grounding);
  g_autoptr (GHashTable) positions = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < n; i++)
    g_hash_table_insert (positions, GINT_TO_POINTER (token_ids[i]), GUINT_TO_POINTER (i));
  s->grounding = grounding;
  s->nodes = g_array_new (FALSE, TRUE, sizeof (Node));
  g_array_set_clear_func (s->nodes, clear_node);
  g_array_set_size (s->nodes, ROOTS);
  for (guint root = 0; root < ROOTS; root++)
    for (guint i = 0; i < entries->len; i++) {
      const UpiGroundingEntry *entry = &g_array_index (entries, UpiGroundingEntry, i);

      if (root == 1 || !entry->phrase->after_determiner)
        add_entry (s, root, entry, positions);
    }
  return s;
}

void
upi_steering_free (UpiSteering *s)
{
  if (s == NULL)
    return;
  g_array_unref (s->nodes);
  g_free (s);
}

gdouble *
upi_steering_show (const UpiSteering *s, const gdouble *needs)
{
  gdouble *done = g_new0 (gdouble, s->nodes->len); /* support of the longest phrase that is complete at each node */

  for (guint i = ROOTS; i < s->nodes->len; i++) {
    const Node *node = node_at (s, i);

    if (node->phrase == NULL)
      done[i] = done[node->parent];
    for (guint k = 0; node->phrase != NULL && k < node->phrase->n_needs; k++)
      done[i] += needs[node->phrase->needs[k]];
  }
  return done;
}

/* A child of the state's node stands in for the root's of the same token. */
void
upi_steering_add (const UpiSteering *s, const gdouble *shown, UpiSteeringState state, gfloat *logits)
{
  const GArray *starts = node_at (s, state.determiner)->children;
  const GArray *follow = state.node < ROOTS ? NULL : node_at (s, state.node)->children;

  for (guint i = 0; follow != NULL && i < follow->len; i++) {
    guint child = g_array_index (follow, guint, i);
    guint start = child_of (s, state.determiner, node_at (s, child)->token);

    logits[node_at (s, child)->position] += (gfloat) (shown[child] - shown[state.node] - (start ? shown[start] : 0));
  }
  for (guint i = 0; starts != NULL && i < starts->len; i++) {
    guint child = g_array_index (starts, guint, i);

    logits[node_at (s, child)->position] += (gfloat) shown[child];
  }
}

UpiSteeringState
upi_steering_step (const UpiSteering *s, UpiSteeringState state, gint32 token)
{
  guint next = state.node < ROOTS ? 0 : child_of (s, state.node, token);

  if (next == 0)
    next = child_of (s, state.determiner, token);
  /* Without one a root, which of the two does not matter. */
  return (UpiSteeringState){ next, upi_grounding_is_determiner (s->grounding, token) };
}
