#include "pipe/turn.h"

bool
bx_turn_init(struct bx_turn *turn)
{
	*turn = (struct bx_turn){ .next = 0 };
	return pthread_mutex_init(&turn->mutex, NULL) == 0 &&
	       pthread_cond_init(&turn->changed, NULL) == 0;
}

void
bx_turn_free(struct bx_turn *turn)
{
	(void)pthread_cond_destroy(&turn->changed);
	(void)pthread_mutex_destroy(&turn->mutex);
}

bool
bx_turn_enter(struct bx_turn *turn, uint64_t seq)
{
	(void)pthread_mutex_lock(&turn->mutex);
	while (turn->next != seq && !turn->stopped)
		(void)pthread_cond_wait(&turn->changed, &turn->mutex);

	bool mine = !turn->stopped;

	/* Not held while the work is done: only the holder of `seq` can be past this point. */
	(void)pthread_mutex_unlock(&turn->mutex);
	return mine;
}

void
bx_turn_leave(struct bx_turn *turn)
{
	(void)pthread_mutex_lock(&turn->mutex);
	turn->next++;
	(void)pthread_cond_broadcast(&turn->changed);
	(void)pthread_mutex_unlock(&turn->mutex);
}

void
bx_turn_stop(struct bx_turn *turn)
{
	(void)pthread_mutex_lock(&turn->mutex);
	turn->stopped = true;
	(void)pthread_cond_broadcast(&turn->changed);
	(void)pthread_mutex_unlock(&turn->mutex);
}
