# The whole platform by Docker, in five words. PROFILE=simulated takes invented prices.
PROFILE ?= live
COMPOSE = docker compose --profile $(PROFILE)

.PHONY: deploy stop monitor test cleanup

deploy: .env ## build and start all of it
	$(COMPOSE) --profile monitoring up -d --build --wait

.env:
	npm run env

stop: ## stop it; data stay
	$(COMPOSE) --profile monitoring stop

monitor: ## what runs, how far it is, and whether all is well
	docker compose run --rm cli status
	docker compose exec monitor node /app/dist/cli/main.js health --ready

test: ## everything that can be tested without Docker
	npm test

cleanup: ## stop and DELETE all data; asks first
	@printf 'This deletes the volumes of all services, data included. Type yes: '; read answer; test "$$answer" = yes
	$(COMPOSE) --profile monitoring down --volumes --remove-orphans
