# Serves a model on the CPU. From the root of the sources:
#   docker build -f src/docker/cpu.Dockerfile -t filigree .
#   docker run --rm -p 8080:8080 -e FILIGREE_TOKEN filigree
FROM maven:3.9-eclipse-temurin-25 AS build
# for the native int8 and bf16 kernels; without them the build goes on without these
RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ make unzip
WORKDIR /filigree
COPY . .
RUN mvn -B -Dformat.skip -DskipTests -Dmaven.test.skip=true -Dsimgpu.skip -pl runtime/dist -am package \
    && unzip -q runtime/dist/target/filigree-*.zip -d /opt \
    && mv /opt/filigree-* /opt/filigree

FROM eclipse-temurin:25-jdk
COPY --from=build /opt/filigree /opt/filigree
RUN useradd --create-home --uid 10001 filigree
USER filigree
ENV FILIGREE_CACHE=/home/filigree/cache
EXPOSE 8080
ENTRYPOINT ["/opt/filigree/bin/filigree"]
CMD ["serve", "minilm", "--host", "0.0.0.0", "--port", "8080"]
