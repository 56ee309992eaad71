# The whole platform by Docker, in a word each. PROFILE=simulated takes invented prices. Without Docker: millrace stop, monitor, backup, cleanup.
PROFILE ?= live
BACKUPS ?= $(CURDIR)/backups
COMPOSE = docker compose --profile $(PROFILE)

.PHONY: deploy stop monitor backup test cleanup

deploy: .env ## build and start all of it
	$(COMPOSE) --profile monitoring up -d --build --wait

.env:
	npm run env

stop: ## stop it; data stay
	$(COMPOSE) --profile monitoring stop

monitor: ## what runs, how far it is, and whether all is well
	docker compose run --rm cli status
	docker compose exec monitor node /app/dist/cli/main.js health --ready

backup: ## a backup into BACKUPS, a folder that user 1000 may write to
	mkdir -p $(BACKUPS)
	docker compose run --rm --volume $(BACKUPS):/backups cli backup --place /backups

test: ## everything that can be tested without Docker
	npm test

cleanup: ## stop and DELETE all data; asks first
	@printf 'This deletes the volumes of all services, data included. Type yes: '; read answer; test "$$answer" = yes
	$(COMPOSE) --profile monitoring down --volumes --remove-orphans
