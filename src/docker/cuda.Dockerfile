# Serves a model on an NVIDIA GPU; the driver comes from the host (NVIDIA Container Toolkit). From the root of the sources:
#   docker build -f src/docker/cuda.Dockerfile -t filigree-cuda .
#   docker run --rm --gpus all -p 8080:8080 -e FILIGREE_TOKEN filigree-cuda
FROM maven:3.9-eclipse-temurin-25 AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ make unzip
WORKDIR /filigree
COPY . .
RUN mvn -B -Dformat.skip -DskipTests -Dmaven.test.skip=true -Dsimgpu.skip -pl runtime/dist -am package \
    && unzip -q runtime/dist/target/filigree-*.zip -d /opt \
    && mv /opt/filigree-* /opt/filigree

# cuBLAS and cuSPARSE of CUDA 12, which JCuda 12.6 was made for; without them their kernels are no candidates
FROM nvidia/cuda:12.6.3-runtime-ubuntu24.04
COPY --from=build /opt/java/openjdk /opt/java/openjdk
COPY --from=build /opt/filigree /opt/filigree
RUN useradd --create-home --uid 10001 filigree
USER filigree
ENV JAVA_HOME=/opt/java/openjdk
ENV FILIGREE_CACHE=/home/filigree/cache
EXPOSE 8080
ENTRYPOINT ["/opt/filigree/bin/filigree"]
CMD ["serve", "minilm", "--device", "cuda", "--host", "0.0.0.0", "--port", "8080"]
